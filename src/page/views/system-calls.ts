// The report of a witness, as a list for people: each system call, where it came from, whose it is, and the verdict.
import { AGREES, type SystemCall, type WitnessReport } from '../../protocol/system-call.js';
import { OWNERS, ownerOf, placeOf, printCall } from '../../protocol/system-call-text.js';
import { createElement } from '../dom.js';

/** A call that was printed with the bytes of a message: what is before them, the bytes, and the rest. */
const WITH_BYTES = /^([^"]*")(.*)("[^"]*)$/s;

/** Print a call. Its message is isolated, so that Arabic or Hebrew in it does not reorder the arguments. */
function createLine(call: SystemCall): HTMLElement {
  const line = printCall(call);
  const [, before, bytes, after] = WITH_BYTES.exec(line) ?? [];
  if (before === undefined || bytes === undefined || after === undefined) return createElement('code', {}, line);
  return createElement('code', {}, before, createElement('bdi', { dir: 'ltr' }, bytes), after);
}

function createItem(call: SystemCall): HTMLElement {
  const { abi, number, origin } = call;
  const owner = ownerOf(call);
  const place = [placeOf(origin), origin.symbol].filter((part) => part !== null).join(', ');
  return createElement(
    'li',
    {},
    createLine(call),
    createElement(
      'span',
      { class: 'origin' },
      createElement('span', { class: 'owner', 'data-owner': owner }, OWNERS[owner]),
      `, call ${number} of ${abi}, from `,
      createElement('span', { class: 'place', ...(origin.file === null ? {} : { title: origin.file }) }, place),
    ),
  );
}

/** Return what is not in the list, in words. */
function describeMissing({ systemCalls, complete, dropped }: WitnessReport): string[] {
  const calls = `${dropped} ${dropped === 1 ? 'call' : 'calls'}`;
  const missing: string[] = [];
  if (dropped > 0 && systemCalls.length > 0) missing.push(`And ${dropped} more, too many to list.`);
  if (dropped > 0 && systemCalls.length === 0) missing.push(`The list of ${calls} is no longer kept.`);
  if (dropped === 0 && systemCalls.length === 0) missing.push('No system call was seen.');
  if (!complete) missing.push('Later calls were not seen: the list may have ended early.');
  return missing;
}

/**
 * Create the list of a report, without its verdict.
 *
 * @param label names the list for screen readers: a page may have several
 */
export function createSystemCalls(report: WitnessReport, label: string): HTMLElement[] {
  const { systemCalls } = report;
  const missing = describeMissing(report).map((text) => createElement('p', { class: 'missing' }, text));
  if (systemCalls.length === 0) return missing;
  return [
    createElement(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label },
      createElement('ol', { class: 'system-calls' }, ...systemCalls.map(createItem)),
    ),
    ...missing,
  ];
}

/** Create the verdict, which is marked by a sign too: not everybody sees the colours. */
export function createVerdict({ verdict }: WitnessReport): HTMLElement {
  const agrees = verdict === AGREES;
  const text = agrees ? '✓ The verdict: agrees' : `✗ The verdict: ${verdict}`;
  return createElement('p', { class: `verdict ${agrees ? 'good' : 'bad'}` }, text);
}

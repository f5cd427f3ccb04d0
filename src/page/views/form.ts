// The write form: sends one POST /write, shows the answer, and shows the curl command that sends the same request.
import type { WriteRequest, WriteResult } from '../../protocol/calls.js';
import { duration } from '../../protocol/format.js';
import { AGREES, reportOf } from '../../protocol/system-call.js';
import { ProblemError, post } from '../api.js';
import { getById } from '../dom.js';
import { parseHex, quoteForShell } from '../text.js';
import { createSystemCalls } from './system-calls.js';

type Body = Pick<WriteRequest, 'level' | 'msg' | 'target'> &
  Partial<Pick<WriteRequest, 'encoding' | 'timeoutMs' | 'witness'>>;

const encodeBase64 = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));

/** Return the request body, or a message for the user if the fields are not valid. */
function readBody(form: HTMLFormElement): Body | string {
  const field = new FormData(form);
  const text = `${field.get('msg')}`;
  const timeoutMs = Number(field.get('timeoutMs'));
  // A switch that is on because all calls have a witness is disabled, and the form's data has no disabled fields.
  const isWitnessed = getById<HTMLInputElement>('write-witness').checked;
  const more = { ...(timeoutMs > 0 ? { timeoutMs } : {}), ...(isWitnessed ? { witness: true } : {}) };
  const common = { level: field.get('level') as Body['level'], target: `${field.get('target')}` };
  // FormData turns line feeds into CRLF; the user typed line feeds. https://html.spec.whatwg.org/#constructing-the-form-data-set
  if (field.get('as') === 'text') return { ...common, msg: text.replaceAll('\r\n', '\n'), ...more };
  const bytes = parseHex(text);
  return bytes === null
    ? 'The message is not hex: pairs of 0-9 and a-f, such as 48 69 0a.'
    : { ...common, msg: encodeBase64(bytes), encoding: 'base64', ...more };
}

function formatResult(result: WriteResult): string {
  const { written, requested, error, calls, seq, durationNs, verdict } = result;
  const made = `record ${seq}, ${calls} ${calls === 1 ? 'call' : 'calls'}, ${duration(durationNs)}`;
  const witness = verdict === undefined ? '' : ` The witness: ${verdict}.`;
  const bytes = `${written} of ${requested} bytes; ${made}.${witness}`;
  return error ? `${error.code} (${error.errno}): ${error.message}. ${bytes}` : bytes;
}

/**
 * Set up the form.
 *
 * @param needsToken returns whether the curl command must send a token
 * @returns a function that updates the curl command, for use after the choice of options has changed
 */
export function setUpForm(needsToken: () => boolean): () => void {
  const form = getById<HTMLFormElement>('write');
  const answer = getById('answer');
  const systemCalls = getById('answer-calls');
  const json = getById('answer-json');
  const curl = getById('curl');
  const copy = getById<HTMLButtonElement>('copy');

  function showCurl(): void {
    const body = readBody(form);
    const token = needsToken() ? ` -H "authorization: Bearer $SYSWIRE_TOKEN"` : '';
    curl.textContent =
      typeof body === 'string'
        ? body
        : `curl -s ${location.origin}/write -H 'content-type: application/json'${token} -d ${quoteForShell(JSON.stringify(body))}`;
    copy.disabled = typeof body === 'string';
  }

  function show(text: string, isBad: boolean, whole: object | null, list: HTMLElement[] = []): void {
    answer.textContent = text;
    systemCalls.replaceChildren(...list);
    answer.classList.toggle('bad', isBad);
    json.textContent = whole === null ? '' : JSON.stringify(whole, null, 2);
  }

  form.addEventListener('input', showCurl);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const body = readBody(form);
    if (typeof body === 'string') {
      show(body, true, null);
      return;
    }
    try {
      const result = await post<WriteResult>('/write', body);
      const report = reportOf(result);
      const isBad = result.error !== null || (report !== null && report.verdict !== AGREES);
      show(formatResult(result), isBad, result, report ? createSystemCalls(report, 'System calls of the answer') : []);
    } catch (error) {
      show(`No call was made: ${(error as Error).message}`, true, error instanceof ProblemError ? error.problem : null);
    }
  });
  copy.addEventListener('click', async () => {
    try {
      // Browsers offer the clipboard only over https or on localhost: elsewhere this throws.
      await navigator.clipboard.writeText(curl.textContent ?? '');
      copy.textContent = 'Copied';
    } catch {
      getSelection()?.selectAllChildren(curl);
      copy.textContent = 'Selected: copy it with Ctrl+C';
    }
    setTimeout(() => {
      copy.textContent = 'Copy';
    }, 3000);
  });
  return showCurl;
}

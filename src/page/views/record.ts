// One row, whole: every field, and the message's bytes as hex and text side by side.
import { clock, duration } from '../../protocol/format.js';
import { byId, element } from '../dom.js';
import type { Entry } from '../stream/history.js';
import { hexLines } from '../text.js';

const WORDS: Record<string, (value: never) => string> = {
  time: (value: number) => `${clock(value)} (${value})`,
  started: (value: number) => `${clock(value)} (${value})`,
  durationNs: (value: number) => `${duration(value)} (${value} ns)`,
  error: (value: { code: string; errno: number; message: string } | null) =>
    value === null ? 'none' : `${value.code} (${value.errno}): ${value.message}`,
};

function bytes(preview: string, requested: number): HTMLElement[] {
  const lines = hexLines(preview);
  if (lines.length === 0) return [element('p', {}, 'No bytes.')];
  const rows = lines.map(({ offset, hex, text }) =>
    element('tr', {}, element('th', { scope: 'row' }, offset), element('td', {}, hex), element('td', {}, text)),
  );
  const columns = ['Offset', 'Hex', 'Text'].map((name) => element('th', { scope: 'col' }, name));
  const table = element(
    'table',
    { class: 'hex' },
    element('thead', {}, element('tr', {}, ...columns)),
    element('tbody', {}, ...rows),
  );
  const notes = [
    ...(requested > 64 ? [`The first 64 of ${requested} bytes.`] : []),
    ...(preview.includes('\ufffd')
      ? ['?? stands for bytes that are not UTF-8, or for U+FFFD itself: the record does not say which, nor how many.']
      : []),
  ];
  return [
    element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Bytes' }, table),
    ...notes.map((note) => element('p', {}, note)),
  ];
}

export function showRecord(entry: Entry): void {
  const list = element('dl');
  for (const [name, value] of Object.entries(entry)) {
    if (name === 'preview') continue;
    list.append(element('dt', {}, name), element('dd', {}, WORDS[name]?.(value as never) ?? `${value}`));
  }
  byId('record-body').replaceChildren(list, ...(entry.type === 'call' ? bytes(entry.preview, entry.requested) : []));
  byId('record').hidden = false;
}

export function setUpRecord(onClose: () => void): void {
  const panel = byId('record');
  const close = (): void => {
    panel.hidden = true;
    onClose();
  };
  byId('record-close').addEventListener('click', close);
  for (const part of [panel, byId('grid')])
    part.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape' && !panel.hidden) close();
    });
}

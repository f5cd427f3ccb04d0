// One record in full: every field, and the message's bytes as hex and text side by side.
import { clock, duration } from '../../protocol/format.js';
import type { CallRecord } from '../../protocol/records.js';
import { reportOf } from '../../protocol/system-call.js';
import { createElement, getById } from '../dom.js';
import type { Entry } from '../stream/history.js';
import { formatHexLines } from '../text.js';
import { createSystemCalls, createVerdict } from './system-calls.js';

/** The fields that are shown below the list. */
const SHOWN_BELOW = new Set(['preview', 'systemCalls', 'complete', 'dropped', 'verdict']);

/** The fields that are not shown as they are. */
const FORMATS: Record<string, (value: never) => string> = {
  time: (value: number) => `${clock(value)} (${value})`,
  started: (value: number) => `${clock(value)} (${value})`,
  durationNs: (value: number) => `${duration(value)} (${value} ns)`,
  error: (value: { code: string; errno: number; message: string } | null) =>
    value === null ? 'none' : `${value.code} (${value.errno}): ${value.message}`,
};

function createBytes(preview: string, requested: number): HTMLElement[] {
  const lines = formatHexLines(preview);
  if (lines.length === 0) return [createElement('p', {}, 'No bytes.')];
  const rows = lines.map(({ offset, hex, text }) =>
    createElement(
      'tr',
      {},
      createElement('th', { scope: 'row' }, offset),
      createElement('td', {}, hex),
      createElement('td', {}, text),
    ),
  );
  const columns = ['Offset', 'Hex', 'Text'].map((name) => createElement('th', { scope: 'col' }, name));
  const table = createElement(
    'table',
    { class: 'hex' },
    createElement('thead', {}, createElement('tr', {}, ...columns)),
    createElement('tbody', {}, ...rows),
  );
  const notes = [
    ...(requested > 64 ? [`The first 64 of ${requested} bytes.`] : []),
    ...(preview.includes('\ufffd')
      ? ['?? stands for bytes that are not UTF-8, or for U+FFFD itself: the record does not say which, nor how many.']
      : []),
  ];
  return [
    createElement('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Bytes' }, table),
    ...notes.map((note) => createElement('p', {}, note)),
  ];
}

function createWitnessed(entry: CallRecord): HTMLElement[] {
  const report = reportOf(entry);
  if (report === null) return [];
  const heading = createElement('h3', { class: 'asked-heading' }, 'What the kernel was asked');
  return [heading, ...createSystemCalls(report, 'System calls of the record'), createVerdict(report)];
}

export function showRecord(entry: Entry): void {
  const list = createElement('dl');
  for (const [name, value] of Object.entries(entry)) {
    if (SHOWN_BELOW.has(name)) continue;
    const text = FORMATS[name]?.(value as never) ?? `${value}`;
    list.append(createElement('dt', {}, name), createElement('dd', {}, text));
  }
  const below =
    entry.type === 'call' ? [...createWitnessed(entry), ...createBytes(entry.preview, entry.requested)] : [];
  getById('record-body').replaceChildren(list, ...below);
  getById('record').hidden = false;
}

export function setUpRecord(onClose: () => void): void {
  const panel = getById('record');
  const close = (): void => {
    panel.hidden = true;
    onClose();
  };
  getById('record-close').addEventListener('click', close);
  for (const part of [panel, getById('grid')])
    part.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape' && !panel.hidden) close();
    });
}

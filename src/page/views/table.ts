// The live table: as many rows as there is room for, of as many as there are. While it is scrolled to the top it
// shows the newest; further down it stands still, and what comes meanwhile is counted.

import { clock, duration, number } from '../../protocol/format.js';
import type { CallRecord } from '../../protocol/records.js';
import { byId, element } from '../dom.js';
import type { Entry, Row } from '../stream/history.js';
import { original, symbols } from '../text.js';

const ROW_HEIGHT = 28;
/** Rows above and below those that can be seen. */
const SPARE = 8;

/** Which rows are wanted: from the `from`-th newest on; `until` is the number of the first that is too new. */
export type View = { from: number; count: number; until: number | null };

export type Rows = { view: View; rows: Row[]; size: number; passed: number };

export type Table = {
  show: (rows: Rows) => void;
  /** Back to the newest. */
  toTop: () => void;
};

function callCells(call: CallRecord): HTMLElement[] {
  const { seq, time, level, target, requested, written, error, durationNs } = call;
  const result = element('span', { role: 'gridcell', class: 'result' }, error ? `${error.code}` : `${written}`);
  if (error) result.title = error.message;
  result.classList.toggle('bad', error !== null);
  result.classList.toggle('part', error === null && written < requested);
  const cell = (name: string, text: string): HTMLElement => element('span', { role: 'gridcell', class: name }, text);
  return [
    cell('seq', `${seq}`),
    cell('time', clock(time)),
    element('span', { role: 'gridcell', class: `level ${level}` }, level),
    cell('target', target),
    cell('asked', `${requested}`),
    result,
    cell('took', duration(durationNs)),
    cell('message', symbols(original(call.preview))),
  ];
}

function cellsOf(entry: Entry): HTMLElement[] {
  if (entry.type === 'call') return callCells(entry);
  const text =
    entry.type === 'gap'
      ? `${number(entry.to - entry.from + 1)} records are lost: ${entry.from} to ${entry.to}`
      : `The service was started anew: run ${entry.run}, process ${entry.pid}`;
  return [element('span', { role: 'gridcell', class: 'note', 'aria-colspan': '8' }, text)];
}

function rowOf(index: number, entry: Entry): HTMLElement {
  const attributes = { role: 'row', id: `row-${index}`, 'aria-rowindex': `${index + 2}` };
  const row = element('div', attributes, ...cellsOf(entry));
  row.dataset.type = entry.type;
  row.style.insetBlockStart = `${index * ROW_HEIGHT}px`;
  return row;
}

/**
 * @param onView told which rows are wanted
 * @param onOpen called with the entry of a row that the user opens
 */
export function createTable(onView: (view: View) => void, onOpen: (entry: Entry) => void): Table {
  const grid = byId('grid');
  const body = byId('rows');
  const newer = byId<HTMLButtonElement>('newer');
  let until: number | null = null;
  let passed = 0;
  /** What `until` is of the rows in the document: what is held is what can be seen. */
  let shown = 0;
  let size = 0;
  let active: number | null = null;
  let rowsByIndex = new Map<number, Row>();

  const seen = (): number => Math.max(1, Math.floor((grid.clientHeight - ROW_HEIGHT) / ROW_HEIGHT));

  function ask(): void {
    const from = Math.max(0, Math.floor(grid.scrollTop / ROW_HEIGHT) - SPARE);
    onView({ from, count: seen() + 2 * SPARE, until });
  }

  function hold(): void {
    if (shown > 0) until ??= shown;
  }

  function mark(): void {
    for (const row of body.children) row.toggleAttribute('data-active', row.id === `row-${active}`);
    if (active !== null && rowsByIndex.has(active)) grid.setAttribute('aria-activedescendant', `row-${active}`);
    else grid.removeAttribute('aria-activedescendant');
  }

  function moveTo(index: number): void {
    hold();
    active = Math.max(0, Math.min(size - 1, index));
    const top = active * ROW_HEIGHT;
    const room = seen() * ROW_HEIGHT;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + ROW_HEIGHT > grid.scrollTop + room) grid.scrollTop = top + ROW_HEIGHT - room;
    ask();
    mark();
  }

  function toTop(): void {
    until = null;
    active = null;
    // Nothing that can be seen now is to be held or opened.
    shown = 0;
    grid.scrollTop = 0;
    ask();
    mark();
  }

  function open(index: number): void {
    const row = rowsByIndex.get(index);
    if (row === undefined) return;
    active = index;
    mark();
    onOpen(row.entry);
  }

  const KEYS: Record<string, () => void> = {
    ArrowDown: () => moveTo(active === null ? 0 : active + 1),
    ArrowUp: () => moveTo((active ?? 0) - 1),
    PageDown: () => moveTo((active ?? 0) + seen()),
    PageUp: () => moveTo((active ?? 0) - seen()),
    End: () => moveTo(size - 1),
    Home: toTop,
    Enter: () => {
      if (active !== null) open(active);
    },
  };
  grid.addEventListener('keydown', (event) => {
    const act = KEYS[event.key];
    if (!act || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  });
  grid.addEventListener('scroll', () => {
    if (grid.scrollTop > 0) hold();
    else if (active === null) until = null;
    ask();
  });
  const indexOf = (target: EventTarget | null): number | null => {
    const row = (target as Element).closest('[role=row]');
    return row === null ? null : Number(row.id.slice('row-'.length));
  };
  // From here on rows stand still, so that what is pressed is what is released: only then it is a click.
  body.addEventListener('pointerdown', ({ target }) => {
    if (indexOf(target) === null) return;
    hold();
    ask();
  });
  body.addEventListener('click', ({ target }) => {
    const index = indexOf(target);
    if (index !== null) open(index);
  });
  newer.addEventListener('click', () => {
    toTop();
    grid.focus();
  });
  new ResizeObserver(ask).observe(grid);

  return {
    show({ view, rows, size: total, passed: all }) {
      passed = all;
      // An answer to a question that is not asked any more.
      if (view.until !== until) return;
      shown = view.until ?? all;
      // What was held is forgotten by now: so many rows came since.
      if (total === 0 && view.until !== null) {
        toTop();
        return;
      }
      size = total;
      grid.setAttribute('aria-rowcount', `${size + 1}`);
      body.style.blockSize = `${size * ROW_HEIGHT}px`;
      const previous = rowsByIndex;
      rowsByIndex = new Map(rows.map((row, index) => [view.from + index, row]));
      // A row that stays is left alone: taken out and put back, it would lose the click that is on its way.
      for (const row of [...body.children]) {
        const index = Number(row.id.slice('row-'.length));
        if (rowsByIndex.get(index)?.number !== previous.get(index)?.number) row.remove();
      }
      let next = body.firstElementChild;
      for (const [index, { entry }] of rowsByIndex) {
        if (next?.id === `row-${index}`) next = next.nextElementSibling;
        else body.insertBefore(rowOf(index, entry), next);
      }
      const waiting = until === null ? 0 : passed - until;
      newer.hidden = until === null;
      newer.textContent = waiting > 0 ? `${number(waiting)} newer rows: show them` : 'Show the newest';
      mark();
    },
    toTop,
  };
}

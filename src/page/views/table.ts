// The live table: only the rows that fit are in the document, of as many as there are. Scrolled to the top it shows the
// newest rows. Scrolled down it stands still and counts the rows that arrive.
import { clock, duration, number } from '../../protocol/format.js';
import type { CallRecord, Gap } from '../../protocol/records.js';
import { createElement, getById } from '../dom.js';
import type { Entry, Row } from '../stream/history.js';
import type { Rows, View } from '../stream/messages.js';
import { replaceInvisible, unescapePreview } from '../text.js';

const ROW_HEIGHT = 28;
/** Rows above and below the visible ones, so that scrolling shows no blank. */
const SPARE_ROWS = 8;

export type Table = {
  show: (rows: Rows) => void;
  goToTop: () => void;
};

function createCallCells(call: CallRecord): HTMLElement[] {
  const { seq, time, level, target, requested, written, error, durationNs } = call;
  const createCell = (name: string, text: string): HTMLElement =>
    createElement('span', { role: 'gridcell', class: name }, text);
  const result = createCell('result', error ? error.code : `${written}`);
  if (error) result.title = error.message;
  result.classList.toggle('bad', error !== null);
  result.classList.toggle('part', error === null && written < requested);
  return [
    createCell('seq', `${seq}`),
    createCell('time', clock(time)),
    createCell(`level ${level}`, level),
    createCell('target', target),
    createCell('asked', `${requested}`),
    result,
    createCell('took', duration(durationNs)),
    createCell('message', replaceInvisible(unescapePreview(call.preview))),
  ];
}

const describeGap = ({ from, to }: Gap): string =>
  from === to
    ? `Record ${from} is no longer kept`
    : `${number(to - from + 1)} records are no longer kept: ${from} to ${to}`;

function createCells(entry: Entry): HTMLElement[] {
  if (entry.type === 'call') return createCallCells(entry);
  const text =
    entry.type === 'gap' ? describeGap(entry) : `The service was restarted: run ${entry.run}, process ${entry.pid}`;
  return [createElement('span', { role: 'gridcell', class: 'note', 'aria-colspan': '8' }, text)];
}

function createRow(index: number, entry: Entry): HTMLElement {
  const attributes = { role: 'row', id: `row-${index}`, 'aria-rowindex': `${index + 2}` };
  const row = createElement('div', attributes, ...createCells(entry));
  row.dataset.type = entry.type;
  row.style.insetBlockStart = `${index * ROW_HEIGHT}px`;
  return row;
}

const indexOf = (row: Element): number => Number(row.id.slice('row-'.length));

function findIndex(target: EventTarget | null): number | null {
  const row = (target as Element).closest('[role=row]');
  return row === null ? null : indexOf(row);
}

/**
 * Set up the table.
 *
 * @param onView called with the rows that the table needs
 * @param onOpen called with the entry of a row that the user opens
 */
export function createTable(onView: (view: View) => void, onOpen: (entry: Entry) => void): Table {
  const grid = getById('grid');
  const body = getById('rows');
  const newer = getById<HTMLButtonElement>('newer');
  /** The `until` of the view: a number while the table stands still, null while it shows the newest rows. */
  let until: number | null = null;
  /** The `until` of the rows in the document: to stand still is to keep the rows that the user sees. */
  let shownUntil = 0;
  let size = 0;
  let active: number | null = null;
  let rowsByIndex = new Map<number, Row>();

  const countVisible = (): number => Math.max(1, Math.floor((grid.clientHeight - ROW_HEIGHT) / ROW_HEIGHT));

  function requestRows(): void {
    const from = Math.max(0, Math.floor(grid.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
    onView({ from, count: countVisible() + 2 * SPARE_ROWS, until });
  }

  function standStill(): void {
    if (shownUntil > 0) until ??= shownUntil;
  }

  function markActive(): void {
    for (const row of body.children) row.toggleAttribute('data-active', row.id === `row-${active}`);
    if (active !== null && rowsByIndex.has(active)) grid.setAttribute('aria-activedescendant', `row-${active}`);
    else grid.removeAttribute('aria-activedescendant');
  }

  function moveTo(index: number): void {
    standStill();
    active = Math.max(0, Math.min(size - 1, index));
    const top = active * ROW_HEIGHT;
    const visibleHeight = countVisible() * ROW_HEIGHT;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + ROW_HEIGHT > grid.scrollTop + visibleHeight) grid.scrollTop = top + ROW_HEIGHT - visibleHeight;
    requestRows();
    markActive();
  }

  function goToTop(): void {
    until = null;
    active = null;
    // The rows in the document are outdated: the table must not stand still at them.
    shownUntil = 0;
    grid.scrollTop = 0;
    requestRows();
    markActive();
  }

  function open(index: number): void {
    const row = rowsByIndex.get(index);
    if (row === undefined) return;
    active = index;
    markActive();
    onOpen(row.entry);
  }

  const KEYS: Record<string, () => void> = {
    ArrowDown: () => moveTo(active === null ? 0 : active + 1),
    ArrowUp: () => moveTo((active ?? 0) - 1),
    PageDown: () => moveTo((active ?? 0) + countVisible()),
    PageUp: () => moveTo((active ?? 0) - countVisible()),
    End: () => moveTo(size - 1),
    Home: goToTop,
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
    if (grid.scrollTop > 0) standStill();
    else if (active === null) until = null;
    requestRows();
  });
  // A click needs the same row under pointerdown and pointerup, so the rows stand still from the first on.
  body.addEventListener('pointerdown', ({ target }) => {
    if (findIndex(target) === null) return;
    standStill();
    requestRows();
  });
  body.addEventListener('click', ({ target }) => {
    const index = findIndex(target);
    if (index !== null) open(index);
  });
  newer.addEventListener('click', () => {
    goToTop();
    grid.focus();
  });
  new ResizeObserver(requestRows).observe(grid);

  return {
    show({ view, rows, size: total, matched }) {
      // These rows answer a request from before the table moved.
      if (view.until !== until) return;
      shownUntil = view.until ?? matched;
      // The history has forgotten all the rows at which the table stood still.
      if (total === 0 && view.until !== null) {
        goToTop();
        return;
      }
      size = total;
      grid.setAttribute('aria-rowcount', `${size + 1}`);
      body.style.blockSize = `${size * ROW_HEIGHT}px`;
      const previous = rowsByIndex;
      rowsByIndex = new Map(rows.map((row, index) => [view.from + index, row]));
      // A row that stays is not touched: taken out and put back, it would lose a click that has begun.
      for (const row of [...body.children]) {
        const index = indexOf(row);
        if (rowsByIndex.get(index)?.number !== previous.get(index)?.number) row.remove();
      }
      let next = body.firstElementChild;
      for (const [index, { entry }] of rowsByIndex) {
        if (next?.id === `row-${index}`) next = next.nextElementSibling;
        else body.insertBefore(createRow(index, entry), next);
      }
      const waiting = until === null ? 0 : matched - until;
      newer.hidden = until === null;
      newer.textContent =
        waiting > 0 ? `${number(waiting)} new ${waiting === 1 ? 'record' : 'records'}` : 'Show the newest';
      markActive();
    },
    goToTop,
  };
}

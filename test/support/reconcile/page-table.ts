// Tables of docs/tracers/README.md that tests make: each test compares its rows with those of the page.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../service.js';

const PAGE = path.join(ROOT, 'docs/tracers/README.md');

/** The head of the tables of what tracers saw. */
export const TRACED_HEAD = '| tracer | options | all lines | a call cut | a call altered | a call added |';

const keyOf = (row: string): string => row.split(' | ').slice(0, 2).join(' | ');

/**
 * Compares rows with those of a table of the page; UPDATE_DOCS=1 writes them there instead.
 *
 * @param mark the comment before the table, `<!-- mark -->`
 * @param rows lines of Markdown, whose first two columns no other row has
 * @param isWhole false if rows of the page that were not made stay as they are: not every machine has every tracer
 */
export function comparePage(mark: string, head: string, rows: string[], isWhole = false): void {
  const lines = readFileSync(PAGE, 'utf8').split('\n');
  const start = lines.indexOf(`<!-- ${mark} -->`) + 1;
  assert.ok(start > 0, `docs/tracers/README.md has no <!-- ${mark} -->`);
  let end = start;
  while (end < lines.length && (lines[end] === '' || lines[end]?.startsWith('|'))) end += 1;
  const before = lines.slice(start, end).filter((line) => line.startsWith('|'));
  if (process.env.UPDATE_DOCS === '1') {
    const made = new Map(rows.map((row) => [keyOf(row), row]));
    const kept = isWhole ? [] : before.slice(2).filter((row) => !made.has(keyOf(row)));
    const rule = head.replaceAll(/[^|]+/g, ' --- ');
    lines.splice(start, end - start, '', head, rule, ...rows, ...kept, '');
    writeFileSync(PAGE, lines.join('\n'));
    return;
  }
  assert.equal(before[0], head);
  if (isWhole) assert.deepEqual(before.slice(2), rows);
  for (const row of rows)
    assert.ok(before.includes(row), `not in docs/tracers/README.md, UPDATE_DOCS=1 writes it: ${row}`);
}

/** Returns the cell of a report: matched, missing, altered, extra. */
export const cell = (counts: { matched: number; missing: number; altered: number; extra: number }): string =>
  [counts.matched, counts.missing, counts.altered, counts.extra].join(', ');

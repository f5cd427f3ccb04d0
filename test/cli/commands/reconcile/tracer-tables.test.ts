// The tables of docs/tracers that say what each format is, and its lines in `reconcile --help`, are those of the table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Format } from '../../../../src/cli/commands/reconcile/formats/format.js';
import { FORMATS, LISTED } from '../../../../src/cli/commands/reconcile/formats/table.js';
import { reconcile } from '../../../../src/cli/commands/reconcile/reconcile.js';
import { describeCommand } from '../../../../src/cli/help.js';
import { comparePage } from '../../../support/reconcile/page-table.js';

const yes = (value: boolean): string => (value ? 'yes' : 'no');
const CLOCKS: Record<Format['sees']['clock'], string> = {
  epoch: 'since 1970',
  day: 'of the day',
  boot: 'since the start of the machine',
  relative: 'since the line before, or the start',
  none: 'none',
};
/** A pipe in a cell ends it, unless it is escaped. */
const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;

const rows = (cells: (format: Format) => string[]): string[] =>
  LISTED.map((format) => `| ${cells(format).join(' | ')} |`);

test('docs/tracers says what each format can see', () =>
  comparePage(
    'what formats see',
    '| tracer | `--format` | bytes | `int80` | `uring` | clock | ids | basis |',
    rows(({ title, id, sees, basis }) => [
      ...[title, code(id), yes(sees.bytes), yes(sees.int80), yes(sees.uring)],
      ...[CLOCKS[sees.clock], sees.ids, basis],
    ]),
    true,
  ));

test('docs/tracers has the command of each format', () =>
  comparePage(
    'commands',
    '| tracer | copy this |',
    rows(({ title, command }) => [title, code(command)]),
    true,
  ));

test('reconcile --help lists each format', () => {
  const help = describeCommand('reconcile', reconcile);
  for (const { id, title } of FORMATS) assert.match(help, new RegExp(`\\n +${id} +${title.replace(/[()]/g, '\\$&')}`));
});

test('no two formats have the same id or title', () => {
  for (const field of ['id', 'title'] as const)
    assert.equal(new Set(FORMATS.map((format) => format[field])).size, FORMATS.length);
});

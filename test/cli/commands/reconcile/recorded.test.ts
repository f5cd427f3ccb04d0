// Traces that real tracers made of a running service: each call is found, and so is each change of one call.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { formatNamed, formatOf } from '../../../../src/cli/commands/reconcile/formats/table.js';
import { countsAfter, type Edit, editCall, findCalls } from '../../../support/reconcile/edits.js';
import { cell, comparePage, TRACED_HEAD } from '../../../support/reconcile/page-table.js';
import { countsOf, type Json, run } from '../../../support/reconcile/run.js';
import { ROOT, tempFolder } from '../../../support/service.js';

const FOLDER = path.join(ROOT, 'test/support/reconcile/traces');
const EDITS: Edit[] = ['cut', 'altered', 'added', 'other bytes'];
const rows: string[] = [];

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.trace'))) {
  const name = file.replace('.trace', '');
  // Several traces may be of the same calls: ftrace-fields.trace has its records in ftrace.records.
  const [recordsFile = ''] = readdirSync(FOLDER)
    .filter((one) => one.endsWith('.records') && name.startsWith(one.replace('.records', '')))
    .sort((one, other) => other.length - one.length);
  const format = (name.startsWith('trace-cmd') ? 'trace-cmd' : name.split('-')[0]) as string;

  test(`the recorded trace ${name} reconciles, and every change of one call is found`, async (t) => {
    const records = path.join(FOLDER, recordsFile);
    const lines = readFileSync(path.join(FOLDER, file), 'utf8').trimEnd().split('\n');
    const shown = lines.map(formatOf).find((one) => one !== undefined);
    assert.equal(shown?.id, format, 'the format is recognized');

    const made = readFileSync(records, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; fd: number; level: string })
      .filter(({ type, level }) => type === 'call' && level !== 'uring');
    const calls = findCalls(format, lines, new Set(made.map(({ fd }) => fd)));
    assert.equal(calls.length, made.length);

    const edited = path.join(tempFolder(t), 'trace');
    /** By edit, the counts, which are the same whichever call it is made to. */
    const cells = new Map<Edit | 'none', string>();
    async function judge(trace: string[], edit: Edit | 'none', what: string): Promise<void> {
      writeFileSync(edited, `${trace.join('\n')}\n`);
      const { out } = await run([edited, records, '--json']);
      const { unobservable, ...counts } = countsOf(JSON.parse(out) as Json);
      assert.deepEqual(counts, countsAfter(edit, made.length), `${what}: ${out}`);
      if (edit !== 'other bytes') cells.set(edit, cell(counts));
    }
    await judge(lines, 'none', 'unchanged');
    for (const call of calls) {
      for (const edit of EDITS) {
        const trace = editCall(format, lines, call, edit);
        if (trace) await judge(trace, edit, `line ${call.first + 1}, ${edit}`);
      }
    }
    rows.push(`| ${formatNamed(format).title} | \`${name}\` | ${[...cells.values()].join(' | ')} |`);
  });
}

test('docs/tracers has the table of the recorded traces', () => comparePage('recorded traces', TRACED_HEAD, rows));

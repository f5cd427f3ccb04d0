// Traces that real tracers made of a running service: each call is found, and so is each change of one line.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { formatOf } from '../../../../src/cli/commands/reconcile/formats/table.js';
import { changesOf, findCalls } from '../../../support/reconcile/changes.js';
import { countsOf, type Json, run } from '../../../support/reconcile/run.js';
import { ROOT, tempFolder } from '../../../support/service.js';

const FOLDER = path.join(ROOT, 'test/support/reconcile/traces');

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.trace'))) {
  const name = file.replace('.trace', '');
  const recordsName = readdirSync(FOLDER)
    .filter((one) => one.endsWith('.records') && name.startsWith(one.replace('.records', '')))
    .sort((one, other) => other.length - one.length)[0] as string;
  const format = (name.startsWith('trace-cmd') ? 'trace-cmd' : name.split('-')[0]) as string;

  test(`the recorded trace ${name} reconciles, and every change of one call is found`, async (t) => {
    const records = path.join(FOLDER, recordsName);
    const lines = readFileSync(path.join(FOLDER, file), 'utf8').trimEnd().split('\n');
    const shown = lines.map(formatOf).find((one) => one !== undefined);
    assert.equal(shown?.id, format, 'the format is recognized');

    const edited = path.join(tempFolder(t), 'trace');
    async function judge(trace: string[], what: string, expected: Partial<ReturnType<typeof countsOf>>): Promise<Json> {
      writeFileSync(edited, `${trace.join('\n')}\n`);
      const { out } = await run([edited, records, '--json']);
      const report = JSON.parse(out) as Json;
      const { unobservable, ...counts } = countsOf(report);
      assert.deepEqual(counts, { missing: 0, altered: 0, extra: 0, ...expected }, `${what}: ${out}`);
      return report;
    }

    const made = readFileSync(records, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; fd: number; level: string })
      .filter(({ type, level }) => type === 'call' && level !== 'uring');
    const calls = findCalls(format, lines, new Set(made.map(({ fd }) => fd)));
    assert.equal(calls.length, made.length);
    const matched = made.length;
    await judge(lines, 'unchanged', { matched });

    for (const call of calls)
      for (const { what, lines: changed, ...expected } of changesOf(format, lines, call))
        await judge(changed, `line ${call.first + 1} ${what}`, {
          ...expected,
          matched: matched - expected.missing - expected.altered,
        });
  });
}

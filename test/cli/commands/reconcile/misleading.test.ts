// Input that is not what it seems: each of these once gave a wrong verdict, or words that led away from the reason.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  countsOf,
  type Json,
  PRINT_ALL,
  printTrace,
  reconcileCalls,
  reconcileLines,
} from '../../../support/reconcile/run.js';
import { type MadeCall, makeCalls, PRINT, random, type Write } from '../../../support/reconcile/synthetic.js';

const make = (count: number, seed: number, shift = 0): MadeCall[] => {
  const made = makeCalls(count, random(seed), { levels: ['raw'], fds: [18] });
  for (const { record, writes } of made) {
    record.time += shift;
    for (const write of writes) write.time += shift;
  }
  return made;
};
const lines = (made: MadeCall[]): string[] => made.map(({ record }) => JSON.stringify(record));
const notes = (report: Json): string => report.notes.join('\n');

test('with --attached, a trace that saw nothing of the service does not agree with its records', async (t) => {
  const made = make(5, 1);
  for (const trace of ['', 'strace: Process 4711 attached\n'])
    await assert.rejects(
      reconcileCalls(t, trace, made, ['--attached', '--format', 'strace']),
      /with --attached there is nothing to compare: none of the 5 records .* the tracer probably never attached/,
    );
});

test('a wrong --format is named as the reason why a trace has no write', async (t) => {
  const made = make(5, 2);
  for (const format of ['ltrace', 'qemu', 'audit', 'sysdig']) {
    const report = await reconcileCalls(t, printTrace('strace', made), made, ['--format', format]);
    assert.deepEqual([report.code, report.missing], [1, 5]);
    assert.match(notes(report), new RegExp(`no write that --format ${format} reads, and looks like one of strace: `));
    assert.doesNotMatch(notes(report), /never attached/);
  }
});

test('the service is found in a trace of many other processes', async (t) => {
  const made = make(5, 3);
  const write = made[0]?.writes[0] as Write;
  const others = Array.from({ length: 12 }, (_, index) => PRINT.strace(write).replace('4711', String(100 + index)));
  const report = await reconcileCalls(t, `${others.join('\n')}\n${printTrace('strace', made)}`, made);
  assert.deepEqual([report.code, report.notes], [0, []]);
});

test('an error that the traced program logs as JSON does not make NDJSON of the trace', async (t) => {
  const made = make(5, 4);
  for (const log of ['{"level":50,"err":{"code":"EADDRINUSE","syscall":"listen"}}', '{"level":30,"fd":5}']) {
    const report = await reconcileCalls(t, `${log}\n${printTrace('strace', made)}`, made);
    assert.deepEqual([report.code, report.matched], [0, 5], log);
  }
});

test('the write of a record that was cut at the end of the file is not extra', async (t) => {
  const made = make(5, 5);
  const last = JSON.stringify(made[4]?.record);
  const report = await reconcileLines(t, printTrace('strace', made), [...lines(made.slice(0, 4)), last.slice(0, 60)]);
  assert.deepEqual([countsOf(report).matched, report.extra, report.unrecorded], [4, 0, 1]);
});

test('a record whose time is no date is no record', async (t) => {
  const made = make(5, 6);
  (made[2] as MadeCall).record.time = 1e300;
  await assert.rejects(reconcileCalls(t, printTrace('strace', made), made), /records:3 is not a record/);
});

test('a number with a fraction is no time of a window', async (t) => {
  const made = make(5, 7);
  await assert.rejects(
    reconcileCalls(t, printTrace('strace', made), made, ['--since', '5.5']),
    /--since 5\.5: is neither/,
  );
});

test('calls that match without a result are counted in a note', async (t) => {
  const made = make(5, 8);
  const trace = printTrace('strace', made).replace(/ = \d+\n/, ' = ?\n');
  const report = await reconcileCalls(t, trace, made);
  assert.equal(report.matched, 5);
  assert.match(notes(report), /^the trace has no result of 1 matched call: /m);
});

test('a service that is started again at once, with the same process id, is another run', async (t) => {
  const [first, second] = [make(5, 9), make(6, 10, 400)];
  const records = [...lines(first), ...lines(second)];
  for (const format of PRINT_ALL) {
    for (const [covered, other] of [
      [first, second],
      [second, first],
    ] as const) {
      const report = await reconcileLines(t, printTrace(format, covered), records);
      assert.deepEqual([report.matched, report.missing, report.extra], [covered.length, 0, 0], format);
      assert.match(
        notes(report),
        new RegExp(`another run of the service.* its ${other.length} records are not judged`),
      );
    }
    // A run of which the tracer saw one call is judged, and what it lost there is missing.
    const part = await reconcileLines(t, printTrace(format, [...first.slice(2, 3), ...second]), records);
    if (format === 'strace') assert.deepEqual([part.matched, part.missing, part.extra], [7, 4, 0]);
  }
});

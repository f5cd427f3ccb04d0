// Reports of witnesses beside the ring: they end with their records, and the system calls of all together have a bound.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import { createJournal } from '../../../src/server/records/journal.js';
import { createReports, MAX_KEPT } from '../../../src/server/records/reports.js';
import { witnessAvailability } from '../../../src/syscalls/index.js';
import { append } from '../../support/journal.js';
import { reportOf } from '../../support/reports.js';
import { ROOT } from '../../support/service.js';

test('a report is that of its record, and a record without one has none', () => {
  const reports = createReports(10);
  const report = reportOf(2);
  reports.keep(1, null);
  reports.keep(2, report);
  reports.keep(3, null);
  assert.deepEqual([1, 2, 3, 4].map(reports.of), [null, report, null, null]);
});

test('a report is dropped with its record, whatever the later records have', () => {
  for (const later of [null, reportOf(1)]) {
    const reports = createReports(3);
    reports.keep(1, reportOf(4));
    for (const seq of [2, 3]) reports.keep(seq, later);
    assert.equal(reports.of(1)?.systemCalls.length, 4, 'the ring still has the record');
    reports.keep(4, later);
    assert.deepEqual([reports.of(1), reports.of(4)], [null, later]);
  }
});

test('when there are too many system calls, the oldest reports lose theirs, and count them', () => {
  const reports = createReports(100, 10);
  for (const seq of [1, 2, 3])
    reports.keep(seq, reportOf(4, { dropped: seq, verdict: `verdict ${seq}`, complete: false }));
  const shown = (seq: number): unknown => {
    const { systemCalls, ...rest } = reports.of(seq) ?? assert.fail();
    return [systemCalls.length, rest];
  };
  assert.deepEqual(shown(1), [0, { complete: false, dropped: 5, verdict: 'verdict 1' }]);
  assert.deepEqual(shown(2), [4, { complete: false, dropped: 2, verdict: 'verdict 2' }]);
  // 4 + 4 + 2 are as many as may be kept, and one more is too many.
  reports.keep(4, reportOf(2));
  assert.deepEqual(shown(2), [4, { complete: false, dropped: 2, verdict: 'verdict 2' }]);
  reports.keep(5, reportOf(1));
  assert.deepEqual(shown(2), [0, { complete: false, dropped: 6, verdict: 'verdict 2' }]);
  assert.deepEqual(shown(3), [4, { complete: false, dropped: 3, verdict: 'verdict 3' }]);
  // A list that is longer than all may be together is not kept.
  reports.keep(6, reportOf(11));
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map((seq) => reports.of(seq)?.systemCalls.length),
    [0, 0, 0, 0, 0, 0],
  );
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map((seq) => reports.of(seq)?.dropped),
    [5, 6, 7, 2, 1, 11],
  );
});

test('calls of records that the ring has overwritten do not count', () => {
  const reports = createReports(2, 10);
  for (let seq = 1; seq <= 100; seq++) reports.keep(seq, reportOf(5));
  assert.deepEqual(
    [99, 100].map((seq) => reports.of(seq)?.systemCalls.length),
    [5, 5],
  );
});

test('the line of a witnessed record has the four fields of its report at its end, also after it lost its list', () => {
  const journal = createJournal({ run: 'run', capacity: 1000, levels: LEVEL_IDS, targets: [{ name: 'out', fd: 9 }] });
  const seq = append(journal, 1, { report: reportOf(2) });
  const { systemCalls, complete, dropped, verdict, ...plain } = JSON.parse(journal.line(seq));
  assert.deepEqual({ systemCalls, complete, dropped, verdict }, reportOf(2));
  assert.deepEqual(Object.keys(JSON.parse(journal.line(seq))).slice(-4), Object.keys(reportOf(0)));
  assert.deepEqual({ ...plain, seq: seq + 1 }, JSON.parse(journal.line(append(journal))), 'the rest is as without one');
  append(journal, Math.ceil(MAX_KEPT / 256), { report: reportOf(256) });
  assert.deepEqual(JSON.parse(journal.line(seq)), { ...plain, systemCalls: [], complete, dropped: 2, verdict });
});

/**
 * The memory of a record without a witness, in bytes: its numbers (35), its preview (64), and the references to its request
 * id and its line (16).
 */
const RECORD_BYTES = 115;

test('a million records without a witness take no memory for one', () => {
  const script = `
    const { createJournal } = await import('${ROOT}/src/server/records/journal.ts');
    const bytes = () => {
      gc();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const call = {
      time: 0, requestId: 'run-7', level: 0, target: 0, bytes: Buffer.from('x'), result: 1, durationNs: 1, report: null, end: 0,
    };
    const before = bytes();
    const journal = createJournal({ capacity: 1e6, run: 'run', levels: ['raw'], targets: [{ name: 'out', fd: 9 }] });
    for (let i = 0; i < 2e6; i++) journal.append({ ...call, seq: journal.next() });
    const after = bytes();
    console.log(JSON.stringify([(after - before) / 1e6, journal.next()]));`;
  const args = ['--expose-gc', '--import', 'tsx', '--input-type=module', '-e', script];
  const [each, next] = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  assert.equal(next, 2e6 + 1);
  assert.ok(Math.abs(each - RECORD_BYTES) < 1, `${each} bytes a record`);
});

test('all lists that are kept take a sixteenth of the heap at most, with the longest previews', (t) => {
  const { reason } = witnessAvailability();
  if (reason !== null) return t.skip(reason);
  const script = `
    const { openSync } = await import('node:fs');
    const { createReports, MAX_KEPT } = await import('${ROOT}/src/server/records/reports.ts');
    const { levels, witnessWrite } = await import('${ROOT}/src/syscalls/index.ts');
    const fd = openSync('/dev/null', 'w');
    const bytes = Buffer.from('\\u0001'.repeat(64));
    const reports = createReports(2 * MAX_KEPT);
    const heap = () => (gc(), process.memoryUsage().heapUsed);
    witnessWrite(levels.raw, fd, bytes);
    const before = heap();
    for (let seq = 1; seq <= MAX_KEPT; seq++) reports.keep(seq, witnessWrite(levels.raw, fd, bytes).report);
    const { heap_size_limit: limit } = (await import('node:v8')).getHeapStatistics();
    const [{ preview }] = reports.of(MAX_KEPT).systemCalls;
    console.log(JSON.stringify([(heap() - before) / limit, preview.length, MAX_KEPT]));`;
  const args = ['--max-old-space-size=512', '--expose-gc', '--import', 'tsx', '--input-type=module', '-e', script];
  const [part, length, most] = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  assert.equal(length, 256);
  assert.ok(part < 1 / 16 && most < MAX_KEPT, `${part} of the heap for ${most} calls`);
});

// Each traced write finds its record: lines deleted, altered or added are reported as such, and nothing else is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatOf } from '../../../../src/cli/commands/reconcile/formats/table.js';
import { countsOf, printTrace, reconcileCalls } from '../../../support/reconcile/run.js';
import {
  editTrace,
  type MadeCall,
  makeCalls,
  PID,
  PRINT,
  PRINTED,
  random,
  type Write,
} from '../../../support/reconcile/synthetic.js';

for (const format of PRINTED) {
  test(`reconcile recognises ${format} and reports each deleted, altered or added line of its trace as such`, async (t) => {
    let edits = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const next = random(seed);
      const made = makeCalls(400, next, { levels: ['raw', 'os', 'std', 'uring', 'int80'] });
      const isBlind = format === 'bpftrace' || format === 'perf';
      for (const one of made) {
        if (one.record.level === 'uring' || (isBlind && one.record.level === 'int80')) one.writes = [];
      }
      const { writes, expected, seqs } = editTrace(made, (seed % 25) / 100, next, ['deleted', 'altered', 'added']);
      const trace = writes.map((write) => `${PRINT[format](write)}\n`).join('');
      assert.equal(formatOf(trace.slice(0, trace.indexOf('\n')))?.id, format);
      const { code, ...report } = await reconcileCalls(t, trace, made);
      const details = `seed ${seed}: ${JSON.stringify(report.details)}`;
      assert.deepEqual(countsOf(report), expected, details);
      assert.equal(code, seqs.length + expected.extra > 0 ? 1 : 0);
      edits += seqs.length + expected.extra;
      // These formats show no bytes, so an equal record may be named instead.
      if (format === 'ndjson' || format === 'perf') continue;
      const named = report.details.flatMap(({ seq }) => seq ?? []).sort((a, b) => a - b);
      assert.deepEqual(named, seqs, details);
    }
    t.diagnostic(`${edits} edits of 60 traces`);
  });
}

test('a line with its bytes, count or result altered is reported as one altered record', async (t) => {
  const made = makeCalls(200, random(7), { levels: ['raw'] });
  const writes = made.flatMap((one) => one.writes);
  const changed = (index: number, change: object) => Object.assign(writes[index] as object, change);
  changed(20, { bytes: Buffer.from('other') });
  changed(60, { count: 9999 });
  changed(100, { result: 9999 });
  changed(140, { count: 9999, result: 9999 });
  const { details, ...report } = await reconcileCalls(t, printTrace('strace', made), made);
  assert.deepEqual(countsOf({ details, ...report }), {
    matched: 196,
    missing: 0,
    altered: 4,
    extra: 0,
    unobservable: 0,
  });
  assert.deepEqual(
    details.map(({ kind, seq, differs, record, trace }) => [kind, seq, differs, record?.count, trace[0]?.line]),
    [
      ['altered', 21, ['bytes'], made[20]?.record.requested, 21],
      ['altered', 61, ['count'], made[60]?.record.requested, 61],
      ['altered', 101, ['result'], made[100]?.record.requested, 101],
      ['altered', 141, ['count', 'result'], made[140]?.record.requested, 141],
    ],
  );
});

test('a call between a deleted line and an added one still matches', async (t) => {
  // All calls fail alike, so each has something in common with the next.
  const made = makeCalls(60, random(19), { levels: ['raw'], fds: [19] });
  const kept = made[31]?.writes[0] as Write;
  const writes = made.flatMap(({ writes }, index) =>
    index === 30 ? [] : index === 31 ? [kept, { ...kept, count: kept.count + 7000 }] : writes,
  );
  const report = await reconcileCalls(t, writes.map(PRINT.strace).join('\n'), made);
  assert.deepEqual(countsOf(report), { matched: 59, missing: 1, altered: 0, extra: 1, unobservable: 0 });
  assert.equal(report.details[0]?.seq, 31);
});

test('in a trace of equal calls without times, an altered line is reported as an altered record', async (t) => {
  const made = makeCalls(2000, random(3), { levels: ['raw'], fds: [18], message: () => 'hello' });
  const lines = printTrace('strace', made)
    .replaceAll(/^(\d+) +[\d.]+/gm, '$1')
    .split('\n');
  lines[100] = (lines[100] as string).replace(', 5)', ', 7005)');
  const report = await reconcileCalls(t, lines.join('\n'), made);
  assert.deepEqual(countsOf(report), { matched: 1999, missing: 0, altered: 1, extra: 0, unobservable: 0 });
});

test('the time decides which of many equal calls is missing', async (t) => {
  for (const format of PRINTED) {
    const made = makeCalls(2000, random(3), { levels: ['raw'], fds: [18], message: () => 'hello' });
    const lost = made[1234] as MadeCall;
    const trace = printTrace(format, [...made.slice(0, 1234), ...made.slice(1235)]);
    const { details, missing, altered, extra } = await reconcileCalls(t, trace, made);
    assert.deepEqual({ missing, altered, extra }, { missing: 1, altered: 0, extra: 0 }, format);
    assert.equal(details[0]?.seq, lost.record.seq, format);
  }
});

test('calls still match after the clock of the tracer is set', async (t) => {
  const made = makeCalls(2000, random(14));
  const set = made.map(({ writes }, index) =>
    writes.map((write) => ({ ...write, time: write.time + (index < 1000 ? -9000 : 3_600_000) })),
  );
  const trace = set.flat().map(PRINT.strace).join('\n');
  const report = await reconcileCalls(t, trace, made);
  assert.deepEqual(countsOf(report), { matched: 2000, missing: 0, altered: 0, extra: 0, unobservable: 0 });
});

test('added lines before the last write are extra, and the last write still matches', async (t) => {
  const made = makeCalls(60, random(15), { levels: ['raw'] });
  const lines = printTrace('ndjson', made).trimEnd().split('\n');
  const strangers = [1, 2, 3].map((count) => JSON.stringify({ pid: PID, fd: 18, count: count + 7000, ret: 1 }));
  const report = await reconcileCalls(t, [...lines.slice(0, -1), ...strangers, ...lines.slice(-1)].join('\n'), made);
  assert.deepEqual(countsOf(report), { matched: 60, missing: 0, altered: 0, extra: 3, unobservable: 0 });
});

test('calls of two processes on the same descriptor do not match each other', async (t) => {
  const of = (pid: number): MadeCall[] => {
    const made = makeCalls(30, random(16), { levels: ['raw'], fds: [18], message: () => 'hello' });
    for (const { record } of made) record.pid = pid;
    return made;
  };
  const made = [...of(1), ...of(2)];
  const line = (pid: number): string => JSON.stringify({ tid: pid, fd: 18, count: 5, ret: 5 });
  const trace = [...Array(29).fill(line(1)), ...Array(31).fill(line(2))].join('\n');
  const report = await reconcileCalls(t, trace, made);
  assert.deepEqual(countsOf(report), { matched: 59, missing: 1, altered: 0, extra: 1, unobservable: 0 });
});

test('without times, thousands of lines deleted or added in a row are reported as such, and all others match', async (t) => {
  const message = (seq: number): string => 'x'.repeat(1 + ((seq * 7919) % 10_007));
  const made = makeCalls(20_000, random(5), { levels: ['raw', 'std'], message });
  const line = ({ fd, count, result }: MadeCall['writes'][number]): string =>
    JSON.stringify({ fd, count, ret: result });
  const all = made.map(({ writes }) => writes.map(line).join('\n'));
  const lost = await reconcileCalls(t, [...all.slice(0, 9000), ...all.slice(14_000)].join('\n'), made);
  assert.deepEqual(countsOf(lost), { matched: 15_000, missing: 5000, altered: 0, extra: 0, unobservable: 0 });
  assert.equal(lost.details.length + lost.leftOut, 5000);
  assert.equal(lost.details.length, 1000);
  const strange = Array.from({ length: 3000 }, (_, index) => JSON.stringify({ fd: 18, count: 20_000 + index, ret: 1 }));
  const added = await reconcileCalls(t, [...all.slice(0, 9000), ...strange, ...all.slice(9000)].join('\n'), made);
  assert.deepEqual(countsOf(added), { matched: 20_000, missing: 0, altered: 0, extra: 3000, unobservable: 0 });
});

test('records made before the tracer started are missing, and the later ones match', async (t) => {
  const made = makeCalls(30_000, random(6), { levels: ['raw'], message: () => 'hello' });
  const report = await reconcileCalls(t, printTrace('bpftrace', made.slice(20_000)), made);
  assert.deepEqual(countsOf(report), { matched: 10_000, missing: 20_000, altered: 0, extra: 0, unobservable: 0 });
});

test('lines of bpftrace are sorted by time, since it empties the buffer of each CPU in turn', async (t) => {
  const made = makeCalls(5000, random(8));
  const lines = printTrace('bpftrace', made).trimEnd().split('\n');
  const turned = lines.flatMap((_, index) =>
    index % 1000 === 0 ? [...lines.slice(index + 500, index + 1000), ...lines.slice(index, index + 500)] : [],
  );
  const report = await reconcileCalls(t, turned.join('\n'), made);
  assert.deepEqual(countsOf(report), { matched: 5000, missing: 0, altered: 0, extra: 0, unobservable: 0 });
});

test('if every line is altered, so is every record; if no line belongs to them, all records are missing', async (t) => {
  const made = makeCalls(300, random(9), { levels: ['raw'] });
  const lines = made.map(({ writes: [write] }) =>
    PRINT.strace({ ...write, bytes: Buffer.from('no') } as MadeCall['writes'][number]),
  );
  const altered = await reconcileCalls(t, lines.join('\n'), made);
  assert.deepEqual(countsOf(altered), { matched: 0, missing: 0, altered: 300, extra: 0, unobservable: 0 });
  const none = await reconcileCalls(t, '', made, ['--format', 'strace']);
  assert.deepEqual(countsOf(none), { matched: 0, missing: 300, altered: 0, extra: 0, unobservable: 0 });
  assert.match(
    none.notes.join(),
    /^the trace is empty: the tracer probably never attached: see if it printed an error, /,
  );
  const other = await reconcileCalls(t, lines.join('\n').replaceAll(`${PID}  `, '99  '), made);
  assert.equal(other.missing, 300);
  assert.match(other.notes.join(), /the records are of process 4711, but the trace has only process 99: /);
});

test('a call whose result cannot be matches the write that the tracer saw, and is unobservable if it saw none', async (t) => {
  const error = { code: 'IMPOSSIBLE_COUNT', errno: 0, message: 'the call returned 17 for 16 bytes' };
  const made = makeCalls(60, random(3), { levels: ['raw', 'os', 'std'], fds: [18] });
  for (const [index, { record }] of made.entries()) if (index % 3 === 0) Object.assign(record, { written: 0, error });
  const whole = await reconcileCalls(t, printTrace('strace', made), made);
  assert.deepEqual(countsOf(whole), { matched: 60, missing: 0, altered: 0, extra: 0, unobservable: 0 });
  for (const [index, one] of made.entries()) if (index % 6 === 0) one.writes = [];
  const part = await reconcileCalls(t, printTrace('strace', made), made);
  assert.deepEqual(countsOf(part), { matched: 50, missing: 0, altered: 0, extra: 0, unobservable: 10 });
  assert.equal(part.code, 0);
  assert.match(
    part.notes.join(),
    /\d at level (raw|os|std), which returned what no kernel returns: a library answered/,
  );
  // Its count is compared all the same.
  const [, , , lied] = made;
  if (lied?.writes[0]) lied.writes[0].count += 1;
  const altered = await reconcileCalls(t, printTrace('strace', made), made);
  assert.deepEqual(altered.details[0]?.differs, ['count']);
});

// The records that are judged: windows, the runs that a trace covers, holes, and the time in which the tracer watched.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countsOf, PRINT_ALL, printTrace, reconcileCalls, reconcileLines } from '../../../support/reconcile/run.js';
import { type MadeCall, makeCalls, PID, PRINT, random, type Write } from '../../../support/reconcile/synthetic.js';

const count = (matched: number, missing = 0, altered = 0, extra = 0) => ({
  ...{ matched, missing, altered, extra },
  unobservable: 0,
});
const lines = (made: MadeCall[]): string[] => made.map(({ record }) => JSON.stringify(record));

test('one lost line before a step of the clock is one missing record', async (t) => {
  for (const step of [7300, -7300, 3_600_000, -3_600_000, 19_800_000, -86_400_000]) {
    for (const message of [(seq: number) => `call ${seq}`, () => 'hello']) {
      const made = makeCalls(40, random(41), { levels: ['raw'], fds: [18], message });
      for (const [index, { record, writes }] of made.entries()) {
        record.time += index * 100;
        for (const write of writes) write.time += index * 100 + (index > 20 ? step : 0);
      }
      for (const format of ['strace', 'bpftrace', 'ndjson'] as const) {
        const report = await reconcileCalls(t, printTrace(format, made.toSpliced(19, 1)), made);
        assert.deepEqual(countsOf(report), count(39, 1), `${format}, ${step} ms`);
      }
    }
  }
});

test('times of day turn at midnight, and are of another time zone', async (t) => {
  const made = makeCalls(40, random(42), { levels: ['raw'], fds: [18] });
  const trace = made
    .flatMap(({ record, writes }, index) => {
      record.time += index * 1000;
      // Two seconds before midnight, half an hour east, without and with a fraction.
      const time = new Date(
        ((writes[0] as Write).time + index * 1000 + 19_800_000 - 5_402_000 - 14_400_000) % 86_400_000,
      );
      const day = new Date(time.getTime() + 86_400_000 - 2000).toISOString().slice(11, index < 20 ? 19 : 23);
      return index === 30 ? [] : PRINT.strace(writes[0] as Write).replace(/ \d+\.\d+ /, ` ${day} `);
    })
    .join('\n');
  const report = await reconcileCalls(t, trace, made);
  assert.deepEqual(countsOf(report), count(39, 1));
  assert.equal(report.details[0]?.seq, 31);
});

test('--since, --until and --request-id leave out records, and the writes among them', async (t) => {
  const made = makeCalls(40, random(43), { levels: ['raw'], fds: [18] });
  for (const { record } of made.slice(9, 12)) record.requestId = 'burst';
  const writes = made.map((one) => one.writes[0] as Write);
  const stray = (index: number): Write => ({
    ...(writes[index] as Write),
    count: 7000,
    result: 7000,
    bytes: Buffer.from('stray'),
  });
  // Records 5 and 11 are missing; extra writes come after records 2, 11 and 30.
  const trace = writes
    .flatMap((write, index) => {
      const line = PRINT.strace(write);
      if (index === 4 || index === 10) return [];
      return index === 1 || index === 29 ? [line, PRINT.strace(stray(index))] : line;
    })
    .toSpliced(10, 0, PRINT.strace(stray(10)))
    .join('\n');
  const time = (index: number): string => new Date(made[index]?.record.time ?? 0).toISOString();
  for (const [flags, expected, outside] of [
    [[], count(38, 2, 0, 3), 0],
    [['--since', '6'], count(34, 1, 0, 2), 5],
    [['--until', '5'], count(4, 1, 0, 1), 35],
    [['--since', '3', '--until', '20'], count(16, 2, 0, 1), 22],
    [['--since', String((made[5]?.record.time ?? 0) - 0.01)], count(34, 1, 0, 2), 5],
    [['--since', String(((made[5]?.record.time ?? 0) - 0.01) / 1000)], count(34, 1, 0, 2), 5],
    [['--until', time(20)], null, null],
    [['--request-id', 'burst'], count(2, 1, 0, 1), 37],
  ] as const) {
    const report = await reconcileCalls(t, trace, made, [...flags]);
    if (expected === null) assert.ok(report.matched < 25 && report.matched > 15);
    else assert.deepEqual([countsOf(report), report.outside], [expected, outside], flags.join(' '));
  }
  await assert.rejects(
    reconcileCalls(t, trace, made, ['--since', '41']),
    /no record is in the window .* are 1 to 40, made from 2026-/,
  );
  await assert.rejects(
    reconcileCalls(t, trace, made, ['--since', 'noon']),
    /--since noon: is neither the number of a record nor a time/,
  );
});

test("with --attached, only records between the tracer's first and last event are judged", async (t) => {
  for (const format of PRINT_ALL) {
    const made = makeCalls(100, random(44), { levels: ['raw'], fds: [18] });
    const watched = made.toSpliced(50, 1).slice(20, 79);
    const trace = printTrace(format, watched);
    const whole = await reconcileCalls(t, trace, made);
    assert.deepEqual([countsOf(whole), whole.notWatched], [count(59, 41), 0], format);
    const report = await reconcileCalls(t, trace, made, ['--attached']);
    assert.deepEqual([countsOf(report), report.notWatched], [count(59, 1), 40], format);
    assert.match(report.notes.join('\n'), /40 records before the tracer's first event or after its last: not watched/);
  }
  // A write on another descriptor shows that the tracer watched.
  const made = makeCalls(100, random(44), { levels: ['raw'], fds: [18] });
  const other = { ...(made[9]?.writes[0] as Write), fd: 5 };
  const trace = `${PRINT.strace(other)}\n${printTrace('strace', made.slice(20))}`;
  const report = await reconcileCalls(t, trace, made, ['--attached']);
  assert.deepEqual([report.missing, report.notWatched], [11, 9]);
});

test('traced writes where records are gone are no extra ones, and others are', async (t) => {
  for (const timed of [true, false]) {
    const made = makeCalls(300, random(45), { levels: ['raw'], fds: [18] });
    const stray = { ...(made[200]?.writes[0] as Write), count: 7000, result: 7000, bytes: Buffer.from('stray') };
    const text = `${printTrace('strace', made.slice(0, 200))}${PRINT.strace(stray)}\n${printTrace('strace', made.slice(200))}`;
    const trace = timed ? text : text.replaceAll(/^(\d+) +[\d.]+/gm, '$1');
    // Rotated at the start, truncated at the end, a hole in the middle, and a gap that the service says itself.
    const kept = lines(made).slice(30, 280).toSpliced(90, 10, '{"type":"gap","from":121,"to":130}').toSpliced(40, 20);
    const end = JSON.stringify({ type: 'end', run: 'r', last: 300 });
    const report = await reconcileLines(t, trace, [...kept, end]);
    assert.deepEqual(countsOf(report), count(220, 0, 0, 1), `timed: ${timed}`);
    assert.deepEqual(
      report.notes.flatMap((note) => /^records (\d+ to \d+) are gone/.exec(note)?.[1] ?? []),
      ['1 to 30', '71 to 90', '121 to 130', '281 to 300'],
    );
  }
});

test('of several runs in a record file, those that the trace covers are judged, and the others named', async (t) => {
  const start = (pid: number, later: number, seed: number): MadeCall[] => {
    const made = makeCalls(30, random(seed), { levels: ['raw'], fds: [18] });
    for (const { record, writes } of made) {
      record.pid = pid;
      record.time += later;
      for (const write of writes) write.time += later;
    }
    return made;
  };
  const hello = (run: string): string => JSON.stringify({ type: 'hello', run, pid: 1, next: 1 });
  for (const [pid, flags] of [
    [99, {}],
    // In a container each run has the same process id: the time decides, and without one the writes themselves.
    [PID, {}],
    [PID, { isTimeless: true }],
  ] as const) {
    const [old, now] = [start(pid, -3_600_000, 46), start(PID, 0, 47)];
    const text = printTrace('strace', now.toSpliced(10, 1));
    const trace = 'isTimeless' in flags ? text.replaceAll(/^(\d+) +[\d.]+/gm, '$1') : text;
    for (const records of [
      [...lines(old), ...lines(now)],
      [hello('a'), ...lines(old), hello('b'), ...lines(now)],
    ]) {
      const report = await reconcileLines(t, trace, records);
      assert.deepEqual(countsOf(report), count(29, 1), `${pid} ${JSON.stringify(flags)}`);
      assert.deepEqual(
        report.runs.map(({ isJudged, records }) => [isJudged, records]),
        [
          [false, 30],
          [true, 30],
        ],
      );
      assert.match(
        report.notes.join(),
        /the trace does not cover another run of the service, process \d+ from 20.*: its 30 records are not judged/,
      );
    }
  }
  // A trace of both runs judges both.
  const [one, two] = [start(98, -60_000, 48), start(PID, 0, 49)];
  const trace = printTrace('strace', one).replaceAll(String(PID), '98') + printTrace('strace', two.slice(1));
  const report = await reconcileLines(t, trace, [...lines(one), ...lines(two)]);
  assert.deepEqual(countsOf(report), count(59, 1));
});

test('a file that was rotated goes on with the same run', async (t) => {
  const made = makeCalls(30, random(50), { levels: ['raw'], fds: [18] });
  const hello = (next: number): string => JSON.stringify({ type: 'hello', run: 'a', pid: PID, next });
  const records = [hello(1), ...lines(made.slice(0, 15)), hello(16), ...lines(made.slice(15))];
  const report = await reconcileLines(t, printTrace('strace', made), records);
  assert.deepEqual([countsOf(report), report.notes, report.runs.length], [count(30), [], 1]);
});

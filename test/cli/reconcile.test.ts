// syswire reconcile: the readers of traces, what finds its way back after a difference, and bad input.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Detail } from '../../src/cli/reconcile/report.js';
import { FORMATS, type Format, formatOf, READERS, type Said } from '../../src/cli/reconcile/traces.js';
import { reconcile } from '../../src/cli/reconcile.js';
import { UsageError } from '../../src/cli/verb.js';
import { listen, testApp } from '../app.js';
import { MAIN, tempFolder } from '../service.js';
import { edit, type Made, make, PID, PRINT, random, type Write } from './synthetic.js';

type Json = Record<'matched' | 'missing' | 'altered' | 'extra' | 'unobservable' | 'leftOut', number> & {
  details: Detail[];
  notes: string[];
};

/** The verb in this process. @throws UsageError */
async function run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: number; out: string }> {
  const out: string[] = [];
  const code = await reconcile({
    args,
    env,
    print: (line) => out.push(line),
    note: () => {},
    fail: (code) => code,
    stdout: () => process.stdout,
    terminal: null,
    leave: () => assert.fail(),
    untilSignal: () => new AbortController().signal,
    onUncaught: () => {},
  });
  return { code, out: out.join('\n') };
}

/** Trace and records as files, and what is found. */
async function found(t: TestContext, trace: string, made: Made[], flags: string[] = []) {
  const folder = tempFolder(t);
  const [traceFile, recordsFile] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  writeFileSync(traceFile, trace);
  writeFileSync(recordsFile, `${made.map(({ record }) => JSON.stringify(record)).join('\n')}\n`);
  const { code, out } = await run([traceFile, recordsFile, '--json', ...flags]);
  return { code, ...(JSON.parse(out) as Json) };
}

const counts = ({ matched, missing, altered, extra, unobservable }: Json) => ({
  matched,
  missing,
  altered,
  extra,
  unobservable,
});

const saw = (fd: number, count: number, result: number | undefined, text?: string, more: object = {}) => ({
  pid: undefined,
  fd,
  count,
  result,
  text,
  whole: text !== undefined,
  ...more,
});
const at = (time: number, tid: number | undefined = 12) => ({ time, tid });
const NO_TIME = { time: undefined, tid: 12 };

const LINES: [format: Format, lines: string, said: unknown][] = [
  [
    'strace',
    '12  1795471942.073803 write(18</tmp/o>, "h\\303\\251 \\"x\\" <y> \\\\\\n\\0001", 13) = 13',
    saw(18, 13, 13, 'hé "x" <y> \\\\\\n\\x001', at(1795471942073.803)),
  ],
  ['strace', '12 write(1, "\\x68\\x69\\x22", 3) = 3', saw(1, 3, 3, 'hi"', NO_TIME)],
  ['strace', '12 write(1, "", 0) = 0', saw(1, 0, 0, '', NO_TIME)],
  [
    'strace',
    '[pid    12] 00:00:01.5 write(1<a>, "b\\303"..., 9) = 4 <0.000012>',
    saw(1, 9, 4, 'b', { ...at(1500), whole: false }),
  ],
  [
    'strace',
    '12 write(7</dev/pts/0<char 136:0>>, "a, \\"b\\", 1) = 2", 12) = -1 EAGAIN (Resource temporarily unavailable) (INJECTED)',
    saw(7, 12, -11, 'a, "b", 1) = 2', NO_TIME),
  ],
  [
    'strace',
    'write(-1, NULL, 4294967295) = -1 EBADF (Bad file descriptor)',
    saw(-1, 4294967295, -9, undefined, { time: undefined, tid: undefined }),
  ],
  ['strace', '12 write(3, 0x7f00, 5) = -1 EFAULT (Bad address)', saw(3, 5, -14, undefined, NO_TIME)],
  ['strace', '12 write(3, "a", 1) = -1 ESTRPIPE (Streams pipe error)', saw(3, 1, -86, 'a', NO_TIME)],
  [
    'strace',
    '12 write(3, "abc", 3 <unfinished ...>\n13 write(9, "z", 1) = 1\n12 <... write resumed>) = 2',
    saw(3, 3, 2, 'abc', NO_TIME),
  ],
  ['strace', '12 write(3, "a", 1 <unfinished ...>) = ?', saw(3, 1, undefined, 'a', NO_TIME)],
  ['strace', '12 write(3, "a", 1) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)', null],
  ['strace', '12 +++ exited with 0 +++', null],
  ['strace', '12 pwrite64(3, "a", 1, 0) = 1', null],
  ['strace', '12 <... write resumed>) = 2', 'torn'],
  ['strace', '12 write(3, "a', 'torn'],
  ['strace', '{"level":30}', 'bad'],
  [
    'ndjson',
    '{"time":1795471942073.5,"pid":1,"tid":12,"syscall":"write","fd":1,"count":3,"ret":-28}',
    saw(1, 3, -28, undefined, { ...at(1795471942073.5), pid: 1 }),
  ],
  [
    'ndjson',
    '{"time":1795471942.5,"pid":1,"tid":12,"fd":1,"count":3,"ret":3,"bytes":"c3a921"}',
    saw(1, 3, 3, 'é!', { ...at(1795471942500), pid: 1 }),
  ],
  ['ndjson', '{"syscall":"writev","fd":1,"count":3,"ret":-28}', null],
  ['ndjson', '{"fd":1,"count":3,"ret":-512}', null],
  ['ndjson', '{"fd":1,"count":"3","ret":3}', 'bad'],
  ['ndjson', 'null', 'bad'],
  ['ndjson', '{"fd":1,', 'bad'],
  [
    'bpftrace',
    'write time=1795471943.848599 pid=1 tid=12 fd=18 count=3 ret=3 bytes=68 c3 a9',
    saw(18, 3, 3, 'hé', { ...at(1795471943848.599), pid: 1 }),
  ],
  [
    'bpftrace',
    'write time=1795471943.848599 pid=1 tid=12 fd=18 count=0 ret=0 bytes=',
    saw(18, 0, 0, '', { ...at(1795471943848.599), pid: 1 }),
  ],
  [
    'bpftrace',
    'write time=1795471943.848599 pid=1 tid=12 fd=4294967295 count=3 ret=-14 bytes=',
    saw(-1, 3, -14, undefined, { ...at(1795471943848.599), pid: 1 }),
  ],
  ['bpftrace', 'Lost 12 events', { lost: 12 }],
  ['bpftrace', 'Attaching 3 probes...', null],
  ['bpftrace', 'write time=1795471943.84', 'torn'],
  [
    'perf',
    '  node 12 [001]  6146.980: syscalls:sys_enter_write: fd: 0x00000014, buf: 0x7f, count: 0x00000003\n node 12 [001]  6146.981:  syscalls:sys_exit_write: 0xffffffffffffffe4',
    saw(20, 3, -28, undefined, at(6146980)),
  ],
  [
    'perf',
    '  my node 3 1/12  6146.980004000: syscalls:sys_enter_write: fd: 0xffffffff, buf: 0x7f, count: 0x3\n x 12 6146.981:  syscalls:sys_exit_write: 0x3',
    saw(-1, 3, 3, undefined, { ...at(6146980.004), pid: 1 }),
  ],
  ['perf', 'node 12 [1] 1.5: syscalls:sys_exit_write: 0x3', 'torn'],
  ['perf', '# hostname : vm', null],
  ['perf', 'LOST 7 events!', { lost: 7 }],
  [
    'perf',
    '    16.675 ( 0.012 ms): node/12 write(fd: 18</tmp/o>, buf: 0x7ffe, count: 22)          = 22',
    saw(18, 22, 22, undefined, at(16.675)),
  ],
  [
    'perf',
    '    16.698 ( 0.010 ms): node/12 write(fd: 19, buf: 0x7ffe, count: 3)    = -1 ENOSPC (No space left on device)',
    saw(19, 3, -28, undefined, at(16.698)),
  ],
  [
    'perf',
    '    1.0 (         ): node/12 write(fd: 19, buf: 0x7ffe, count: 3) ...\n    1.0 ( 0.010 ms): node/12  ... [continued]: write())      = 3',
    saw(19, 3, 3, undefined, at(1)),
  ],
  ['perf', '    1.0 ( 0.010 ms): node/12  ... [continued]: write())      = 3', 'torn'],
  ['perf', '    1.0 ( 0.010 ms): node/12 write(fd: 19, buf: 0x7f', 'torn'],
];

for (const [format, lines, said] of LINES) {
  test(`${format}: ${lines.slice(0, 90).replaceAll('\n', '⏎')}`, () => {
    const read = READERS[format]();
    let last: Said = null;
    for (const line of lines.split('\n')) last = read(line);
    // Seconds times a thousand are off by less than a microsecond.
    if (last !== null && typeof last === 'object' && 'time' in last && last.time !== undefined)
      last = { ...last, time: Math.round(last.time * 1e3) / 1e3 };
    assert.deepEqual(last, said);
  });
}

test('a time of day in perf script is local time', () => {
  const read = READERS.perf();
  read('node 12/12  2026-11-23 22:13:29.992372805 syscalls:sys_enter_write: fd: 0x1, buf: 0x7f, count: 0x3');
  const said = read('node 12/12  2026-11-23 22:13:29.992374327  syscalls:sys_exit_write: 0x3');
  const time = (said as { time: number }).time;
  assert.ok(Math.abs(time - (new Date(2026, 10, 23, 22, 13, 29).getTime() + 992.372805)) < 0.001, String(time));
});

const text = (format: Format, made: Made[]): string =>
  made.flatMap(({ writes }) => writes.map((write) => `${PRINT[format](write)}\n`)).join('');

for (const format of FORMATS) {
  test(`${format} is recognised, and every difference in its trace is found as what it is`, async (t) => {
    let edits = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const next = random(seed);
      const made = make(400, next, { levels: ['raw', 'os', 'std', 'uring', 'int80'] });
      const isBlind = format === 'bpftrace' || format === 'perf';
      for (const one of made) {
        if (one.record.level === 'uring' || (isBlind && one.record.level === 'int80')) one.writes = [];
      }
      const { writes, expected, seqs } = edit(made, (seed % 25) / 100, next, ['deleted', 'altered', 'added']);
      const trace = writes.map((write) => `${PRINT[format](write)}\n`).join('');
      assert.equal(formatOf(trace.slice(0, trace.indexOf('\n'))), format);
      const { code, ...report } = await found(t, trace, made);
      const told = `seed ${seed}: ${JSON.stringify(report.details)}`;
      assert.deepEqual(counts(report), expected, told);
      assert.equal(code, seqs.length + expected.extra > 0 ? 1 : 0);
      edits += seqs.length + expected.extra;
      // Without bytes, of records that are alike another may be named.
      if (format === 'ndjson' || format === 'perf') continue;
      const named = report.details.flatMap(({ seq }) => seq ?? []).sort((a, b) => a - b);
      assert.deepEqual(named, seqs, told);
    }
    t.diagnostic(`${edits} edits of 60 traces`);
  });
}

test('each of bytes, count and result altered is one altered', async (t) => {
  const made = make(200, random(7), { levels: ['raw'] });
  const writes = made.flatMap((one) => one.writes);
  const changed = (index: number, change: object) => Object.assign(writes[index] as object, change);
  changed(20, { bytes: Buffer.from('other') });
  changed(60, { count: 9999 });
  changed(100, { result: 9999 });
  changed(140, { count: 9999, result: 9999 });
  const { details, ...report } = await found(t, text('strace', made), made);
  assert.deepEqual(counts({ details, ...report }), { matched: 196, missing: 0, altered: 4, extra: 0, unobservable: 0 });
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

test('a call between a line that is gone and a line too many still matches', async (t) => {
  // All of them fail alike, so each has something in common with the next.
  const made = make(60, random(19), { levels: ['raw'], fds: [19] });
  const kept = made[31]?.writes[0] as Write;
  const writes = made.flatMap(({ writes }, index) =>
    index === 30 ? [] : index === 31 ? [kept, { ...kept, count: kept.count + 7000 }] : writes,
  );
  const report = await found(t, writes.map(PRINT.strace).join('\n'), made);
  assert.deepEqual(counts(report), { matched: 59, missing: 1, altered: 0, extra: 1, unobservable: 0 });
  assert.equal(report.details[0]?.seq, 31);
});

test('of calls that are all alike, the time says which one is missing', async (t) => {
  for (const format of FORMATS) {
    const made = make(2000, random(3), { levels: ['raw'], fds: [18], message: () => 'hello' });
    const lost = made[1234] as Made;
    const trace = text(format, [...made.slice(0, 1234), ...made.slice(1235)]);
    const { details, missing, altered, extra } = await found(t, trace, made);
    assert.deepEqual({ missing, altered, extra }, { missing: 1, altered: 0, extra: 0 }, format);
    assert.equal(details[0]?.seq, lost.record.seq, format);
  }
});

test('a clock that is set, or is another, is followed', async (t) => {
  const made = make(2000, random(14));
  const set = made.map(({ writes }, index) =>
    writes.map((write) => ({ ...write, time: write.time + (index < 1000 ? -9000 : 3_600_000) })),
  );
  const trace = set.flat().map(PRINT.strace).join('\n');
  // By another machine's clock some would lie outside the time of the records.
  const report = await found(t, trace, made);
  assert.deepEqual(counts(report), { matched: 2000, missing: 0, altered: 0, extra: 0, unobservable: 0 });
});

test('strangers before the last write are extra, and it matches', async (t) => {
  const made = make(60, random(15), { levels: ['raw'] });
  const lines = text('ndjson', made).trimEnd().split('\n');
  const strangers = [1, 2, 3].map((count) => JSON.stringify({ pid: PID, fd: 18, count: count + 7000, ret: 1 }));
  const report = await found(t, [...lines.slice(0, -1), ...strangers, ...lines.slice(-1)].join('\n'), made);
  assert.deepEqual(counts(report), { matched: 60, missing: 0, altered: 0, extra: 3, unobservable: 0 });
});

test('two processes in one file of records are told apart', async (t) => {
  const of = (pid: number): Made[] => {
    const made = make(30, random(16), { levels: ['raw'], fds: [18], message: () => 'hello' });
    for (const { record } of made) record.pid = pid;
    return made;
  };
  const made = [...of(1), ...of(2)];
  const line = (pid: number): string => JSON.stringify({ tid: pid, fd: 18, count: 5, ret: 5 });
  const trace = [...Array(29).fill(line(1)), ...Array(31).fill(line(2))].join('\n');
  const report = await found(t, trace, made);
  assert.deepEqual(counts(report), { matched: 59, missing: 1, altered: 0, extra: 1, unobservable: 0 });
});

test('more lost, or added, than any window shows, in a trace without times: found, and nothing else', async (t) => {
  const message = (seq: number): string => 'x'.repeat(1 + ((seq * 7919) % 10_007));
  const made = make(20_000, random(5), { levels: ['raw', 'std'], message });
  const line = ({ fd, count, result }: Made['writes'][number]): string => JSON.stringify({ fd, count, ret: result });
  const all = made.map(({ writes }) => writes.map(line).join('\n'));
  const lost = await found(t, [...all.slice(0, 9000), ...all.slice(14_000)].join('\n'), made);
  assert.deepEqual(counts(lost), { matched: 15_000, missing: 5000, altered: 0, extra: 0, unobservable: 0 });
  assert.equal(lost.details.length + lost.leftOut, 5000);
  assert.equal(lost.details.length, 1000);
  const strange = Array.from({ length: 3000 }, (_, index) => JSON.stringify({ fd: 18, count: 20_000 + index, ret: 1 }));
  const added = await found(t, [...all.slice(0, 9000), ...strange, ...all.slice(9000)].join('\n'), made);
  assert.deepEqual(counts(added), { matched: 20_000, missing: 0, altered: 0, extra: 3000, unobservable: 0 });
});

test('a tracer that comes late: the records before it are missing, the rest matches', async (t) => {
  const made = make(30_000, random(6), { levels: ['raw'], message: () => 'hello' });
  const report = await found(t, text('bpftrace', made.slice(20_000)), made);
  assert.deepEqual(counts(report), { matched: 10_000, missing: 20_000, altered: 0, extra: 0, unobservable: 0 });
});

test('bpftrace empties the buffer of each CPU in turn: the times put its lines in order', async (t) => {
  const made = make(5000, random(8));
  const lines = text('bpftrace', made).trimEnd().split('\n');
  const turned = lines.flatMap((_, index) =>
    index % 1000 === 0 ? [...lines.slice(index + 500, index + 1000), ...lines.slice(index, index + 500)] : [],
  );
  const report = await found(t, turned.join('\n'), made);
  assert.deepEqual(counts(report), { matched: 5000, missing: 0, altered: 0, extra: 0, unobservable: 0 });
});

test('every line altered is every record altered, and no line that belongs is none matched', async (t) => {
  const made = make(300, random(9), { levels: ['raw'] });
  const lines = made.map(({ writes: [write] }) =>
    PRINT.strace({ ...write, bytes: Buffer.from('no') } as Made['writes'][number]),
  );
  const altered = await found(t, lines.join('\n'), made);
  assert.deepEqual(counts(altered), { matched: 0, missing: 0, altered: 300, extra: 0, unobservable: 0 });
  const none = await found(t, '', made, ['--format', 'strace']);
  assert.deepEqual(counts(none), { matched: 0, missing: 300, altered: 0, extra: 0, unobservable: 0 });
  assert.deepEqual(none.notes, ['the trace is empty']);
  const other = await found(t, lines.join('\n').replaceAll(`${PID}  `, '99  '), made);
  assert.equal(other.missing, 300);
  assert.match(other.notes.join(), /nothing of process 4711, .* but of 99/);
});

test('judged are the descriptors that the records name, while they were made; --strict judges all', async (t) => {
  const made = make(50, random(10), { levels: ['raw'] });
  const [first, last] = [made[0]?.writes[0], made[49]?.writes[0]] as [Made['writes'][number], Made['writes'][number]];
  const trace = [
    PRINT.strace({ ...first, time: first.time - 500 }),
    PRINT.strace({ ...first, fd: 5 }),
    text('strace', made).trimEnd(),
    PRINT.strace({ ...last, fd: 19 }).replace(String(PID), '99'),
    PRINT.strace({ ...last, time: last.time + 500 }),
  ].join('\n');
  const report = await found(t, trace, made);
  assert.deepEqual([report.code, report.matched, report.extra], [0, 50, 0]);
  const strict = await found(t, trace, made, ['--strict']);
  assert.deepEqual([strict.code, strict.matched, strict.extra], [1, 50, 4]);
});

test('what was lost on either side is said: torn lines, lost events, gaps', async (t) => {
  const folder = tempFolder(t);
  const [trace, records] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  const made = make(9, random(11), { levels: ['raw'] });
  const lines = made.map(({ record }) => JSON.stringify(record));
  writeFileSync(trace, `${text('bpftrace', made)}Lost 7 events\nwrite time=17\n`);
  writeFileSync(records, [...lines.slice(0, 3), '{"type":"gap","from":4,"to":5}', ...lines.slice(5)].join('\n'));
  const { code, out } = await run([trace, records]);
  assert.equal(code, 1);
  assert.match(out, /^matched {7}7\nmissing {7}0\naltered {7}0\nextra {9}2\nunobservable {2}0\n/);
  assert.match(out, /note: 1 torn lines/);
  assert.match(out, /note: the tracer itself says that it lost 7 events/);
  assert.match(out, /note: records 4 to 5 are gone/);
  assert.match(out, /what +seq +fd +the record +the trace\nextra +\d\d +no record +line 4: \d+ → .*\nextra [^\n]*$/);
});

test('a record that was cut short is gone like one in a gap; what was never one is refused', async (t) => {
  const folder = tempFolder(t);
  const [trace, records] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  const made = make(9, random(11), { levels: ['raw'] });
  const lines = made.map(({ record }) => JSON.stringify(record));
  writeFileSync(trace, text('strace', made));
  for (const [length, says] of [
    [60, /note: records 4 to 4 are gone/],
    [22, /extra {9}1\n/],
    [3, /extra {9}1\n/],
  ] as const) {
    writeFileSync(records, lines.with(3, (lines[3] as string).slice(0, length)).join('\n'));
    const { code, out } = await run([trace, records]);
    assert.equal(code, 1);
    assert.match(out, /^matched {7}8\nmissing {7}0\naltered {7}0\nextra {9}1\n/);
    assert.match(out, says);
  }
  writeFileSync(records, lines.with(3, (lines[3] as string).slice(1)).join('\n'));
  await assert.rejects(run([trace, records]), /records:4 is not a record/);
});

test('records of a running service, with its token', async (t) => {
  const token = 'a-token-for-this-test';
  const { app, post } = testApp(t, { token, history: 4 });
  const address = await listen(app);
  const lines: string[] = [];
  for (const msg of ['a', 'bb', 'ccc', 'dddd', 'eeeee', 'ffffff']) {
    await post({ level: 'raw', target: 'out', msg }, { authorization: `Bearer ${token}` });
  }
  const answer = await app.inject({ url: '/events', headers: { authorization: `Bearer ${token}` } });
  for (const { fd, requested, pid } of answer.json().events)
    lines.push(JSON.stringify({ pid, fd, count: requested, ret: requested }));
  const trace = path.join(tempFolder(t), 'trace');
  writeFileSync(trace, lines.join('\n'));
  for (const [args, env] of [
    [['--token', token], {}],
    [[], { SYSWIRE_TOKEN: token }],
  ] as const) {
    const { code, out } = await run([trace, address, '--json', ...args], env);
    const report = JSON.parse(out) as Json;
    assert.deepEqual([code, report.matched, report.extra], [0, 4, 0]);
    assert.match(report.notes.join(), /records 1 to 2 are gone/);
  }
  await assert.rejects(run([trace, address]), /a token is needed.*--token, or SYSWIRE_TOKEN/);
  await assert.rejects(run([trace, `${address}/docs/`, '--token', token]), /there is nothing at \/docs\/events/);
  await app.close();
  await assert.rejects(run([trace, address, '--token', token]), /no service answers at http/);
});

test('a service with more records than one page has', async (t) => {
  const made = make(20_005, random(17), { levels: ['raw'] });
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const since = Number(/since=(\d+)/.exec(request.url ?? '')?.[1]);
    const events = made.slice(since - 1, since + 9999).map(({ record }) => record);
    response.end(JSON.stringify({ events, next: since + events.length, oldest: 1 }));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const trace = path.join(tempFolder(t), 'trace');
  writeFileSync(trace, text('strace', made.slice(0, -60)));
  const { code, out } = await run([trace, `http://127.0.0.1:${(server.address() as AddressInfo).port}`]);
  assert.deepEqual(
    asked,
    [1, 10_001, 20_001].map((since) => `/events?since=${since}&limit=10000`),
  );
  assert.equal(code, 1);
  assert.match(out, /^matched {7}19945\nmissing {7}60\n/);
  assert.match(out, /\nand 10 more: --json has them$/);
});

const RECORD = JSON.stringify(make(1, random(1))[0]?.record);
const TRACE = '12 write(18, "a", 1) = 1';

const UNUSABLE: [name: string, trace: string | null, records: string | null, flags: string[], says: RegExp][] = [
  ['a trace that is not there', null, RECORD, [], /trace cannot be read: ENOENT/],
  ['records that are not there', TRACE, null, [], /records cannot be read: ENOENT/],
  [
    'a trace of no known format',
    'hello\nworld\n',
    RECORD,
    [],
    /trace:1 is of no trace that is known: .*--format strace\|/,
  ],
  ['an empty trace', '', RECORD, [], /trace is empty: say what it is with --format/],
  ['a line that is not JSON', `{"fd":1,"count":1,"ret":1}\n{"fd`, RECORD, [], /trace:2 is no line of .* ndjson/],
  ['another format than said', 'hello', RECORD, ['--format', 'strace'], /trace:1 is no line of .* strace/],
  ['records that are none', TRACE, `${RECORD}\n{"type":"call"}\n`, [], /records:2 is not a record/],
  ['trace and records exchanged', RECORD, TRACE, [], /records:1 is not a record/],
  ['no records', TRACE, '\n', [], /records has no records/],
  ['an unknown format', TRACE, RECORD, ['--format', 'dtrace'], /--format dtrace: must be one of strace, ndjson/],
  ['an unknown flag', TRACE, RECORD, ['--jsno'], /Unknown option '--jsno'/],
  ['one file more', TRACE, RECORD, ['more'], /a trace and records are needed/],
];

for (const [name, trace, records, flags, says] of UNUSABLE) {
  test(`${name}: unusable, and one line says so`, async (t) => {
    const folder = tempFolder(t);
    if (trace !== null) writeFileSync(path.join(folder, 'trace'), trace);
    if (records !== null) writeFileSync(path.join(folder, 'records'), records);
    await assert.rejects(run([path.join(folder, 'trace'), path.join(folder, 'records'), ...flags]), (error: Error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, says);
      assert.ok(!error.message.includes('\n'));
      return true;
    });
  });
}

test('the command: a trace from stdin, records from a pipe, exit codes', (t) => {
  const folder = tempFolder(t);
  const made = make(20, random(12));
  const records = made.map(({ record }) => JSON.stringify(record)).join('\n');
  writeFileSync(path.join(folder, 'records'), records);
  const command = (input: string, script: string) =>
    spawnSync('bash', ['-c', script, MAIN, process.execPath], {
      cwd: folder,
      input,
      encoding: 'utf8',
      timeout: 20_000,
    });
  const fine = command(text('strace', made), '"$1" "$0" reconcile - <(cat records)');
  assert.deepEqual([fine.status, fine.stderr, fine.stdout.slice(0, 16)], [0, '', 'matched       20']);
  assert.equal(command('', '"$1" "$0" reconcile - records --format perf').status, 1);
  const unusable = command('x', '"$1" "$0" reconcile - records');
  assert.deepEqual([unusable.status, unusable.stdout], [2, '']);
  assert.match(unusable.stderr, /^syswire: standard input:1 is of no trace that is known: .*\n$/);
});

test('a million lines need no more memory than a few', { timeout: 120_000 }, async (t) => {
  const folder = tempFolder(t);
  const files = ['trace', 'records'].map((name) => createWriteStream(path.join(folder, name))) as [
    WriteStream,
    WriteStream,
  ];
  const [{ record }] = make(1, random(13), { levels: ['raw'] }) as [Made];
  for (let batch = 0; batch < 100; batch++) {
    const parts = ['', ''];
    for (let seq = batch * 10_000 + 1; seq <= (batch + 1) * 10_000; seq++) {
      const time = record.time + seq;
      const size = 10 + (seq % 90);
      // One line of each ten thousand is not in the trace.
      if (seq % 10_000 !== 5000)
        parts[0] += `${PID} ${((time + 0.01) / 1000).toFixed(6)} write(18</tmp/o>, "call ${seq}, "..., ${size}) = ${size}\n`;
      const preview = `call ${seq}, and what there is to say about it`;
      parts[1] += `${JSON.stringify({ ...record, seq, time, fd: 18, requested: size, written: size, error: null, preview })}\n`;
    }
    for (const [index, file] of files.entries()) if (!file.write(parts[index])) await once(file, 'drain');
  }
  await Promise.all(files.map((file) => once(file.end(), 'close')));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--max-old-space-size=64', MAIN, 'reconcile', '--json', ...files.map((file) => String(file.path))],
    { encoding: 'utf8' },
  );
  assert.equal(status, 1, stderr);
  const report = JSON.parse(stdout) as Json;
  assert.deepEqual(counts(report), { matched: 999_900, missing: 100, altered: 0, extra: 0, unobservable: 0 });
});

// The command `syswire reconcile`: its options, notes and exit codes, the sources of records, and unusable input.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../../../../src/cli/command.js';
import { listen, testApp } from '../../../support/app.js';
import { countsOf, type Json, printTrace, reconcileCalls, run } from '../../../support/reconcile/run.js';
import { type MadeCall, makeCalls, PID, PRINT, random } from '../../../support/reconcile/synthetic.js';
import { MAIN, tempFolder } from '../../../support/service.js';

test('only writes on recorded descriptors, in the time of the records, are compared; with --strict all are', async (t) => {
  const made = makeCalls(50, random(10), { levels: ['raw'] });
  const [first, last] = [made[0]?.writes[0], made[49]?.writes[0]] as [
    MadeCall['writes'][number],
    MadeCall['writes'][number],
  ];
  const trace = [
    PRINT.strace({ ...first, time: first.time - 500 }),
    PRINT.strace({ ...first, fd: 5 }),
    printTrace('strace', made).trimEnd(),
    PRINT.strace({ ...last, fd: 19 }).replace(String(PID), '99'),
    PRINT.strace({ ...last, time: last.time + 500 }),
  ].join('\n');
  const report = await reconcileCalls(t, trace, made);
  assert.deepEqual([report.code, report.matched, report.extra], [0, 50, 0]);
  const strict = await reconcileCalls(t, trace, made, ['--strict']);
  assert.deepEqual([strict.code, strict.matched, strict.extra], [1, 50, 4]);
});

test('notes report what was lost on either side: torn lines, lost events, gaps', async (t) => {
  const folder = tempFolder(t);
  const [trace, records] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  const made = makeCalls(9, random(11), { levels: ['raw'] });
  const lines = made.map(({ record }) => JSON.stringify(record));
  writeFileSync(trace, `${printTrace('bpftrace', made)}Lost 7 events\nwrite time=17\n`);
  writeFileSync(records, [...lines.slice(0, 3), '{"type":"gap","from":4,"to":5}', ...lines.slice(5)].join('\n'));
  const { code, out } = await run([trace, records]);
  assert.equal(code, 0);
  assert.match(out, /^matched {7}7\nmissing {7}0\naltered {7}0\nextra {9}0\nunobservable {2}0\n/);
  assert.match(out, /note: 1 line of the trace \(\d+\) could not be read/);
  assert.match(out, /note: the tracer itself says that it lost 7 events/);
  assert.match(out, /note: records 4 to 5 are gone/);
  assert.match(out, /note: 2 traced writes are where records are gone, and do not count as extra/);
});

test('a record that was cut short counts as a gap, and a line that never was a record is refused', async (t) => {
  const folder = tempFolder(t);
  const [trace, records] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  const made = makeCalls(9, random(11), { levels: ['raw'] });
  const lines = made.map(({ record }) => JSON.stringify(record));
  writeFileSync(trace, printTrace('strace', made));
  for (const length of [60, 22, 3]) {
    writeFileSync(records, lines.with(3, (lines[3] as string).slice(0, length)).join('\n'));
    const { code, out } = await run([trace, records]);
    assert.equal(code, 0);
    assert.match(out, /^matched {7}8\nmissing {7}0\naltered {7}0\nextra {9}0\n/);
    assert.match(out, /note: records 4 to 4 are gone/);
  }
  writeFileSync(records, lines.with(3, (lines[3] as string).slice(1)).join('\n'));
  await assert.rejects(run([trace, records]), /records:4 is not a record/);
});

test('records are read from a running service, with its token', async (t) => {
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
  await assert.rejects(run([trace, `${address}/docs/`, '--token', token]), /there is nothing at '\/docs\/events'/);
  await app.close();
  await assert.rejects(run([trace, address, '--token', token]), /no service answers at http/);
});

test('records of a service are read page by page', async (t) => {
  const made = makeCalls(20_005, random(17), { levels: ['raw'] });
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
  writeFileSync(trace, printTrace('strace', made.slice(0, -60)));
  const { code, out } = await run([trace, `http://127.0.0.1:${(server.address() as AddressInfo).port}`]);
  assert.deepEqual(
    asked,
    [1, 10_001, 20_001, 20_006].map((since) => `/events?since=${since}&limit=10000`),
  );
  assert.equal(code, 1);
  assert.match(out, /^matched {7}19945\nmissing {7}60\n/);
  assert.match(out, /\nand 10 more: --json has them$/);
});

const RECORD = JSON.stringify(makeCalls(1, random(1))[0]?.record);
const TRACE = '12 write(18, "a", 1) = 1';

const UNUSABLE: [name: string, trace: string | null, records: string | null, flags: string[], says: RegExp][] = [
  ['a trace that does not exist', null, RECORD, [], /trace cannot be read: ENOENT/],
  ['records that do not exist', TRACE, null, [], /records cannot be read: ENOENT/],
  [
    'a trace of no known format',
    'hello\nworld\n',
    RECORD,
    [],
    /the format of .*trace is not recognized from its first lines: .*--format strace\|/,
  ],
  [
    'an empty trace',
    '',
    RECORD,
    [],
    /trace is empty: the tracer probably never attached: see if .* \/health shows; start it before .*; if .* no call, give the format with/,
  ],
  [
    'an ndjson trace with a line that is not JSON',
    `{"fd":1,"count":1,"ret":1}\n{"fd`,
    RECORD,
    [],
    /trace:2 is not a line of a ndjson trace/,
  ],
  [
    'a trace of another format than --format says',
    'hello',
    RECORD,
    ['--format', 'strace'],
    /trace:1 is not a line of a strace trace/,
  ],
  ['records with a line that is not a record', TRACE, `${RECORD}\n{"type":"call"}\n`, [], /records:2 is not a record/],
  ['a trace in the place of the records', RECORD, TRACE, [], /records:1 is not a record/],
  ['a file without records', TRACE, '\n', [], /records has no records: /],
  [
    'an unknown format',
    TRACE,
    RECORD,
    ['--format', 'dtrace'],
    /--format dtrace: must be strace, ltrace, .* or sysdig; did you mean strace\?/,
  ],
  ['an unknown flag', TRACE, RECORD, ['--jsno'], /unknown flag --jsno: did you mean --json\?/],
  ['a third file, which is taken for the records', TRACE, RECORD, ['more'], /more cannot be read: ENOENT/],
];

for (const [name, trace, records, flags, says] of UNUSABLE) {
  test(`reconcile refuses ${name} with a message of one line`, async (t) => {
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

test('syswire reconcile reads a trace from stdin and records from a pipe, and sets the exit code', (t) => {
  const folder = tempFolder(t);
  const made = makeCalls(20, random(12));
  const records = made.map(({ record }) => JSON.stringify(record)).join('\n');
  writeFileSync(path.join(folder, 'records'), records);
  const command = (input: string, script: string) =>
    spawnSync('bash', ['-c', script, MAIN, process.execPath], {
      cwd: folder,
      input,
      encoding: 'utf8',
      timeout: 20_000,
    });
  const fine = command(printTrace('strace', made), '"$1" "$0" reconcile - <(cat records)');
  assert.deepEqual([fine.status, fine.stderr, fine.stdout.slice(0, 16)], [0, '', 'matched       20']);
  assert.equal(command('', '"$1" "$0" reconcile - records --format perf').status, 1);
  const unusable = command('x', '"$1" "$0" reconcile - records');
  assert.deepEqual([unusable.status, unusable.stdout], [2, '']);
  assert.match(unusable.stderr, /^syswire: the format of standard input is not recognized from its first lines: .*\n$/);
});

/** Prints the most memory that a process had, in KiB, when it ends. */
const PRINT_MEMORY = "data:text/javascript,process.on('exit', () => process._rawDebug(process.resourceUsage().maxRSS))";

test('reconcile compares a million lines with a heap of 64 MB, and in 500 MiB', { timeout: 120_000 }, async (t) => {
  const folder = tempFolder(t);
  const files = ['trace', 'records'].map((name) => createWriteStream(path.join(folder, name))) as [
    WriteStream,
    WriteStream,
  ];
  const [{ record }] = makeCalls(1, random(13), { levels: ['raw'] }) as [MadeCall];
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
    [
      '--max-old-space-size=64',
      '--import',
      PRINT_MEMORY,
      MAIN,
      'reconcile',
      '--json',
      ...files.map((file) => String(file.path)),
    ],
    { encoding: 'utf8' },
  );
  assert.equal(status, 1, stderr);
  assert.ok(Number(stderr) > 10_000 && Number(stderr) < 500 * 1024, stderr);
  const report = JSON.parse(stdout) as Json;
  assert.deepEqual(countsOf(report), { matched: 999_900, missing: 100, altered: 0, extra: 0, unobservable: 0 });
});

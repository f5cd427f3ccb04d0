// Tests what write, burst and watch print of a witness when the address leads to another program than syswire.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocketServer } from 'ws';
import type { CallRecord } from '../../src/protocol/records.js';
import type { SystemCall } from '../../src/protocol/system-call.js';
import { run, watcher } from '../support/command.js';

/** Answers of a service that is no syswire: each text acts on a terminal, or begins another line. */
const HOSTILE = '\u001b[31m\u202e\u009b\nsyswire: fake\r';
const SHOWN = '\\x1b[31m\\u202e\\x9b\\nsyswire: fake\\r';
const CALL: SystemCall = {
  abi: 'x86-64',
  number: 1,
  name: `write${HOSTILE}`,
  arguments: [18, HOSTILE, 5, HOSTILE, 0, 0],
  result: -28,
  error: { code: `ENOSPC${HOSTILE}`, errno: 28, message: HOSTILE },
  origin: { file: `/lib/libc${HOSTILE}`, offset: 4096, symbol: HOSTILE, address: `0x1000${HOSTILE}`, isLevel: false },
  preview: HOSTILE,
};
const REPORT = { systemCalls: [CALL], complete: true, dropped: 0, verdict: `no${HOSTILE}` };
const RESULT = { level: 'raw', target: 'out', requested: 5, written: 5, durationNs: 1000 };
const ANSWERS: Record<string, object> = {
  '/write': { ...RESULT, calls: 1, seq: 1, error: null, ...REPORT },
  '/bursts': {
    ...{ ...RESULT, count: 1, errors: {}, callsPerSecond: 1 },
    durationNs: { min: 1, mean: 1, p50: 1, p90: 1, p99: 1, max: 1 },
    ...{ ...REPORT, disagreed: 1, systemCalls: [{ ...CALL, times: 1 }] },
  },
};
const RECORD: Omit<CallRecord, 'level'> & { level: string } = {
  ...{ ...RESULT, type: 'call', seq: 1, time: 0, requestId: 'r', fd: 18, error: null, pid: 1 },
  preview: 'hello',
  ...REPORT,
};

/** Starts a program that answers as a syswire may. `edit` changes its answers. */
async function startOther(t: TestContext, edit: (answer: object) => object = (answer) => answer): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end(JSON.stringify(edit(ANSWERS[request.url ?? ''] ?? {}))));
  });
  const stream = new WebSocketServer({ server });
  stream.on('connection', (socket) =>
    socket.send([{ type: 'hello', run: 'r', next: 1 }, edit(RECORD)].map((line) => JSON.stringify(line)).join('\n')),
  );
  t.after(() => {
    for (const socket of stream.clients) socket.terminate();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('names, files and verdicts from another program are safe for a terminal', async (t) => {
  const url = await startOther(t);
  const { until, got, lines } = watcher(t, ['-v', '--since', '1'], url);
  await until(() => lines().length >= 3);
  const one = await run(['write', 'raw', 'x', '--witness'], url);
  const many = await run(['burst', 'raw', 'x', '--count', '1', '--witness'], url);
  for (const [name, out, count] of [
    ['watch', got.out, 3],
    ['write', one.out, 3],
    ['burst', many.out, 5],
  ] as const) {
    assert.equal(out.split('\n').length, count + 1, `${name}: the lines of ${out}`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not arrive
    assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f\u0080-\u009f\u202e]/, name);
    for (const text of [`write${SHOWN}`, `ENOSPC${SHOWN}`, `libc${SHOWN}+0x1000, ${SHOWN}`, `no${SHOWN}`])
      assert.ok(out.includes(text), `${name}: ${text}\nis not in\n${out}`);
  }
  assert.deepEqual([one.code, many.code], [1, 1]);
});

test('write and burst --witness at a service that answers without a verdict: exit 2, one line', async (t) => {
  const url = await startOther(t, (answer) => ({ ...answer, verdict: undefined }));
  for (const command of ['write', 'burst']) {
    const { code, out, err } = await run([command, 'raw', 'x', '--witness'], url);
    assert.match(err, /^syswire: http:.* is not a syswire service \(its answer has no verdict\): check the address\n$/);
    assert.deepEqual([code, out], [2, '']);
  }
});

/** Changes of a system call, so that it cannot be printed. */
const UNREADABLE: Record<string, unknown>[] = [
  { origin: null },
  { origin: { ...CALL.origin, file: 5 } },
  { error: {} },
  { result: 0.5 },
  { name: { toString: 0 } },
];

test('a list of system calls with other fields is not read, and write, burst and watch say so', async (t) => {
  const said = /^( {2}! witness: |witness: )?what the witness saw cannot be read: .* of another version$/m;
  const lists: unknown[] = [5, {}, [null], ...UNREADABLE.map((changes) => [{ ...CALL, times: 1, ...changes }])];
  for (const systemCalls of lists) {
    const url = await startOther(t, (answer) => ({ ...answer, systemCalls }));
    for (const [command, ...flags] of [['write'], ['burst', '--count', '1']] as [string, ...string[]][]) {
      const { code, out, err } = await run([command, 'raw', 'hello', '--witness', ...flags], url);
      assert.match(out, said);
      assert.deepEqual([code, err], [1, ''], `${command} ${JSON.stringify(systemCalls)}`);
    }
    const { until, got, child, exited } = watcher(t, ['-v', '--since', '1'], url);
    await until(() => said.test(got.out));
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null]);
  }
});

test('a name that every object has is printed with all six registers', async (t) => {
  const url = await startOther(t, (answer) => ({
    ...answer,
    systemCalls: [{ ...CALL, name: 'constructor', arguments: [1, 2, 3, 4, 5, 6] }],
  }));
  const { out } = await run(['write', 'raw', 'hello', '--witness'], url);
  assert.match(out, /^constructor\(0x1, 0x2, 0x3, 0x4, 0x5, 0x6\) = -1 /m);
});

test('watch at a program whose stream has other lines: exit 2, one line', async (t) => {
  const lines: object[] = [
    [],
    { type: 'other' },
    { type: 'gap', from: 1 },
    { ...RECORD, level: 5 },
    { ...RECORD, error: { code: {} } },
  ];
  for (const line of lines) {
    const url = await startOther(t, () => line);
    const { got, exited } = watcher(t, ['-v'], url);
    assert.deepEqual(await exited, [2, null], JSON.stringify(line));
    assert.match(
      got.err,
      /^syswire: http:.* is not a syswire service \(a line of its stream is no record\): check .*\n$/,
    );
  }
});

// POST /writes makes many writes in order, and checks all of them before the first call.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { WriteResult, WritesResult } from '../../../src/protocol/calls.js';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import type { Problem } from '../../../src/protocol/problem.js';
import { levels } from '../../../src/syscalls/index.js';
import { listen, type TestApp, testApp, turn, until } from '../../support/app.js';
import { openFifo, read } from '../../support/service.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
const CAPACITY = 65_536;

const send = (app: TestApp, writes: object[]) => app.post({ writes }, {}, '/writes');
const resultsOf = async (app: TestApp, writes: object[]): Promise<(WriteResult & Problem)[]> =>
  ((await send(app, writes)).json<WritesResult>().results ?? []) as (WriteResult & Problem)[];

test('writes are made in their order, an error stops none of them, and each has its record', async (t) => {
  const app = testApp(t);
  const writes = LEVELS.flatMap((level) => [
    { level, msg: `${level}\n`, target: 'out' },
    { level, msg: 'no', target: 'full' },
    { level, msg: Buffer.from([0, 255]).toString('base64'), encoding: 'base64', target: 'out' },
  ]);
  const results = await resultsOf(app, writes);
  assert.deepEqual(
    results.map(({ level, target, written, error, seq }) => [level, target, written, error?.code ?? null, seq]),
    writes.map(({ level, target, msg }, index) =>
      target === 'full'
        ? [level, target, 0, 'ENOSPC', index + 1]
        : [level, target, msg.endsWith('\n') ? msg.length : 2, null, index + 1],
    ),
  );
  const expected = LEVELS.map((level) => Buffer.concat([Buffer.from(`${level}\n`), Buffer.from([0, 255])]));
  assert.deepEqual(app.written(), Buffer.concat(expected));
  const { events } = (await app.app.inject('/events')).json();
  assert.deepEqual(
    results.map(({ calls: _, ...result }) => result),
    events.map(
      ({ type: _, time: __, fd: ___, pid: ____, preview: _____, ...record }: Record<string, unknown>) => record,
    ),
    'records and results have the same facts, and the same request id',
  );
});

const good = { level: 'raw', msg: 'x', target: 'out' };
const BAD: [name: string, writes: unknown, status: number, pointer: string][] = [
  ['no list', undefined, 400, '#/writes'],
  ['an empty list', [], 400, '#/writes'],
  ['a list that is too long', Array(10_001).fill(good), 400, '#/writes'],
  ['an unknown level', [good, { ...good, level: 'RAW' }], 400, '#/writes/1/level'],
  ['an unknown key', [good, good, { ...good, colour: 1 }], 400, '#/writes/2/colour'],
  ['an unknown target', [good, { ...good, target: 'printer' }], 404, '#/writes/1/target'],
  ['invalid base64', [good, { ...good, encoding: 'base64', msg: '?' }], 400, '#/writes/1/msg'],
  ['a timeout that is too long', [{ ...good, timeoutMs: 60_001 }], 400, '#/writes/0/timeoutMs'],
];

for (const [name, writes, status, pointer] of BAD) {
  test(`a request with ${name} is a ${status}, and none of its writes is made`, async (t) => {
    const app = testApp(t);
    const answer = await app.post({ writes }, {}, '/writes');
    const problem = answer.json<Problem>();
    assert.deepEqual([answer.statusCode, problem.errors?.[0]?.pointer], [status, pointer]);
    assert.equal(app.written().length, 0);
    assert.equal((await app.app.inject('/health')).json().next, 1);
  });
}

test('a request of 10,000 writes gives way to other requests', async (t) => {
  const app = testApp(t);
  let over = false;
  const all = send(app, Array(10_000).fill({ ...good, level: LEVELS.includes('uring') ? 'uring' : 'std' })).finally(
    () => {
      over = true;
    },
  );
  let answered = 0;
  while (!over) {
    assert.equal((await app.app.inject('/health')).statusCode, 200);
    answered += 1;
    await turn();
  }
  assert.equal((await all).json<WritesResult>().results.length, 10_000);
  assert.equal(app.written().length, 10_000);
  assert.ok(answered > 2, `${answered} answers meanwhile`);
});

/** Starts an app whose target `pipe` takes nothing until it is read from. */
async function startWithFullPipe(t: TestContext) {
  const fifo = openFifo(t);
  const app = testApp(t, { targets: { pipe: fifo.path } });
  closeSync(fifo.writer);
  await app.post({ level: 'raw', target: 'pipe', msg: 'x'.repeat(CAPACITY) });
  return { fifo, app };
}

test('a write that waits holds up the writes behind it', async (t) => {
  const { fifo, app } = await startWithFullPipe(t);
  const results = resultsOf(app, [
    { level: 'raw', target: 'pipe', msg: 'first', timeoutMs: 30_000 },
    { level: 'os', target: 'pipe', msg: 'second' },
  ]);
  await read(fifo.reader, CAPACITY);
  assert.deepEqual(
    (await results).map(({ written, error }) => [written, error]),
    [
      [5, null],
      [6, null],
    ],
  );
  assert.equal(String(await read(fifo.reader, 11)), 'firstsecond');
});

test('a write whose turn does not come is a problem among the results, and the answer is a 503 if none was made', async (t) => {
  const { fifo, app } = await startWithFullPipe(t);
  const ahead = resultsOf(app, [{ level: 'raw', target: 'pipe', msg: 'ahead', timeoutMs: 30_000 }]);
  const late = { level: 'raw', target: 'pipe', msg: 'late', timeoutMs: 20 };
  const [first, second, third] = await resultsOf(app, [good, late, good]);
  assert.deepEqual([first?.written, second?.status, second?.calls, third?.written], [1, 503, undefined, 1]);
  assert.match(second?.detail ?? '', /no call was made/);
  const none = await send(app, [late, late]);
  assert.deepEqual([none.statusCode, none.headers['retry-after']], [503, '1']);
  await read(fifo.reader, CAPACITY);
  assert.equal((await ahead)[0]?.written, 5);
});

test('the writes that are left are not made when the client leaves', async (t) => {
  const { fifo, app } = await startWithFullPipe(t);
  const url = await listen(app.app);
  const connected = once(app.app.server, 'connection');
  const leaving = request(`${url}/writes`, { method: 'POST', headers: { 'content-type': 'application/json' } });
  leaving.on('error', () => {});
  const writes = [{ level: 'raw', target: 'pipe', msg: 'gone', timeoutMs: 60_000 }, good, good];
  leaving.end(JSON.stringify({ writes }));
  const [socket] = (await connected) as [Socket];
  // The first write waits once the record of its EAGAIN is there.
  await until(async () => (await app.app.inject('/health')).json().next >= 3);
  const closed = once(socket, 'close');
  leaving.destroy();
  await closed;
  await app.app.close();
  assert.equal(app.written().length, 0);
  assert.equal(String(await read(fifo.reader, CAPACITY)).includes('gone'), false);
});

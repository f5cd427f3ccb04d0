// timeoutMs: writes wait for room, take turns, and give up when their time is over.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { WriteResult } from '../../../src/protocol/calls.js';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import type { CallRecord } from '../../../src/protocol/records.js';
import { levels } from '../../../src/syscalls/index.js';
import { listen, type TestApp, testApp, until } from '../../support/app.js';
import { type Fifo, openFifo, read } from '../../support/service.js';

const CAPACITY = 65_536;

/** Starts an app whose target `pipe` is full. */
async function startWithFullPipe(
  t: TestContext,
): Promise<{ fifo: Fifo; test: TestApp; send: (body: object) => Promise<WriteResult> }> {
  const fifo = openFifo(t);
  const test = testApp(t, { targets: { pipe: fifo.path } });
  closeSync(fifo.writer);
  const send = async (body: object) =>
    (await test.post({ level: 'raw', target: 'pipe', msg: '', ...body })).json<WriteResult>();
  const full = await send({ msg: 'x'.repeat(1 << 20) });
  assert.deepEqual(
    { written: full.written, error: full.error },
    { written: CAPACITY, error: null },
    'the first write is partial, and reports how much',
  );
  return { fifo, test, send };
}

for (const level of LEVEL_IDS.filter((id) => levels[id].available)) {
  test(`a write that waits at ${level} repeats the call until every byte is written, and each call has a record`, async (t) => {
    const { fifo, test, send } = await startWithFullPipe(t);
    const msg = 'y'.repeat(200_000);
    const [result, taken] = await Promise.all([
      send({ level, msg, timeoutMs: 30_000 }),
      read(fifo.reader, CAPACITY + msg.length),
    ]);
    assert.deepEqual({ written: result.written, error: result.error }, { written: msg.length, error: null });
    assert.equal(String(taken.subarray(CAPACITY)), msg);
    const { events } = (await test.app.inject(`/events?requestId=${result.requestId}`)).json<{
      events: CallRecord[];
    }>();
    assert.equal(events.length, result.calls);
    assert.ok(result.calls > 1);
    assert.equal(events.at(-1)?.seq, result.seq);
    assert.equal(
      events.reduce((sum, { written }) => sum + written, 0),
      msg.length,
    );
    assert.equal(
      events.reduce((sum, { durationNs }) => sum + durationNs, 0),
      result.durationNs,
    );
    assert.ok(events.every(({ error }) => error === null || error.code === 'EAGAIN'));
  });

  test(`a write that waits at ${level} gives up with EAGAIN when its time is over`, async (t) => {
    const { send } = await startWithFullPipe(t);
    const before = performance.now();
    const { written, error, calls } = await send({ level, msg: 'late', timeoutMs: 300 });
    const took = performance.now() - before;
    assert.deepEqual({ written, code: error?.code, calls }, { written: 0, code: 'EAGAIN', calls: 1 });
    assert.ok(took >= 299 && took < 5000, `${took} ms`);
  });
}

test('any error but EAGAIN ends the wait at once', async (t) => {
  const { fifo, send } = await startWithFullPipe(t);
  const waiting = send({ msg: 'never', timeoutMs: 30_000 });
  fifo.reader.destroy();
  const { error, written } = await waiting;
  assert.deepEqual({ code: error?.code, written }, { code: 'EPIPE', written: 0 });
});

test('writes that wait take turns, so bytes never mix, and a write with timeoutMs 0 does not queue', async (t) => {
  const { fifo, send } = await startWithFullPipe(t);
  const letters = [...'abcdefgh'];
  const waiting = letters.map((letter) => send({ msg: letter.repeat(100_000), timeoutMs: 30_000 }));
  const { error, calls } = await send({ msg: 'now', timeoutMs: 0 });
  assert.deepEqual({ code: error?.code, calls }, { code: 'EAGAIN', calls: 1 });
  const taken = String(await read(fifo.reader, CAPACITY + letters.length * 100_000));
  assert.equal(
    taken.slice(CAPACITY),
    letters.map((letter) => letter.repeat(100_000)).join(''),
    'the first write to wait is the first to be made',
  );
  for (const result of await Promise.all(waiting)) assert.deepEqual([result.written, result.error], [100_000, null]);
});

test('a write whose turn does not come in time is a 503, and makes no call', async (t) => {
  const { fifo, test, send } = await startWithFullPipe(t);
  const first = send({ msg: 'first', timeoutMs: 30_000 });
  const answer = await test.post({ level: 'raw', target: 'pipe', msg: 'second', timeoutMs: 50 });
  assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [503, '1']);
  const third = send({ msg: 'third', timeoutMs: 30_000 });
  await read(fifo.reader, CAPACITY);
  assert.equal((await first).error, null);
  assert.equal((await third).error, null);
  assert.equal(String(await read(fifo.reader, 10)), 'firstthird');
});

test('a write is a 503 with Retry-After when too many wait for its target', async (t) => {
  const { fifo, test, send } = await startWithFullPipe(t);
  const waiting = Array.from({ length: 100 }, () => send({ msg: 'w', timeoutMs: 30_000 }));
  const answer = await test.post({ level: 'raw', target: 'pipe', msg: 'one too many', timeoutMs: 50 });
  assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [503, '1']);
  const elsewhere = await test.post({ level: 'raw', target: 'out', msg: 'x', timeoutMs: 50 });
  assert.equal(elsewhere.statusCode, 200, 'a write to another target is made');
  await read(fifo.reader, CAPACITY + 100);
  for (const { error } of await Promise.all(waiting)) assert.equal(error, null);
});

test('a client that leaves ends its wait, and the next write gets its turn', async (t) => {
  const { fifo, test, send } = await startWithFullPipe(t);
  const url = await listen(test.app);
  const sockets = new Map<number | undefined, Socket>();
  test.app.server.on('connection', (socket: Socket) => sockets.set(socket.remotePort, socket));
  const leaving = request(`${url}/write`, { method: 'POST', headers: { 'content-type': 'application/json' } });
  leaving.on('error', () => {});
  leaving.end(JSON.stringify({ level: 'raw', target: 'pipe', msg: 'gone', timeoutMs: 60_000 }));
  // The write waits once the record of its EAGAIN is there.
  const isWaiting = async () => ((await (await fetch(`${url}/health`)).json()) as { next: number }).next === 3;
  await until(isWaiting);
  const next = send({ msg: 'next', timeoutMs: 30_000 });
  const left = once(sockets.get(leaving.socket?.localPort) as Socket, 'close');
  leaving.destroy();
  await left;
  const taken = read(fifo.reader, CAPACITY + 4);
  assert.equal((await next).error, null);
  assert.equal(String((await taken).subarray(CAPACITY)), 'next');
});

test('other requests are answered while a write waits', async (t) => {
  const { fifo, test, send } = await startWithFullPipe(t);
  const waiting = send({ msg: 'w', timeoutMs: 30_000 });
  for (let i = 0; i < 50; i++) assert.equal((await test.app.inject('/health')).statusCode, 200);
  await read(fifo.reader, CAPACITY);
  assert.equal((await waiting).error, null);
});

test('writes wait for more targets than libuv has threads, and none holds up another', async (t) => {
  const fifos = Array.from({ length: 12 }, () => openFifo(t));
  const test = testApp(t, { targets: Object.fromEntries(fifos.map(({ path }, index) => [`p${index}`, path])) });
  for (const { writer } of fifos) closeSync(writer);
  const send = async (target: string, body: object) =>
    (await test.post({ level: 'raw', target, ...body })).json<WriteResult>();
  for (const [index] of fifos.entries()) await send(`p${index}`, { msg: 'x'.repeat(CAPACITY) });
  const waiting = fifos.map((_, index) => send(`p${index}`, { msg: 'y', timeoutMs: 30_000 }));
  for (const [index, { reader }] of [...fifos.entries()].reverse()) {
    const before = performance.now();
    await read(reader, CAPACITY);
    assert.equal((await waiting[index])?.error, null);
    assert.ok(performance.now() - before < 2000, `target ${index} took ${performance.now() - before} ms`);
  }
});

test('close() ends a write that waits or has just arrived, so that no call reaches a descriptor that is open for something else by then', async (t) => {
  const { fifo, test, send } = await startWithFullPipe(t);
  const waiting = send({ msg: 'SECRET', timeoutMs: 300 });
  // The write waits once the record of its EAGAIN is there.
  await until(async () => (await test.app.inject('/health')).json().next >= 3);
  const late = test.post({ level: 'raw', target: 'pipe', msg: 'SECRET', timeoutMs: 300 });
  const [{ error, written }, { statusCode }] = await Promise.all([waiting, late, test.app.close()]);
  assert.deepEqual([error?.code, written, statusCode], ['EAGAIN', 0, 503]);
  assert.equal((await read(fifo.reader, CAPACITY)).includes('SECRET'), false);
});

test('a pipelined write stops waiting when its client leaves', async (t) => {
  const { fifo, test, send } = await startWithFullPipe(t);
  const url = new URL(await listen(test.app));
  const socket = connect(Number(url.port), url.hostname);
  const body = JSON.stringify({ level: 'raw', target: 'pipe', msg: 'gone', timeoutMs: 60_000 });
  const post = `POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const connected = once(test.app.server, 'connection');
  socket.write(post + post);
  const [server] = (await connected) as [Socket];
  await until(async () => ((await (await fetch(`${url.origin}/health`)).json()) as { next: number }).next >= 3);
  const left = once(server, 'close');
  socket.destroy();
  await left;
  const next = send({ msg: 'next', timeoutMs: 30_000 });
  const taken = read(fifo.reader, CAPACITY + 4);
  assert.equal((await next).error, null);
  assert.equal(String((await taken).subarray(CAPACITY)), 'next');
});

test('a write that waits is still answered when garbage follows it', async (t) => {
  const { test } = await startWithFullPipe(t);
  const url = new URL(await listen(test.app));
  const socket = connect(Number(url.port), url.hostname);
  const body = JSON.stringify({ level: 'raw', target: 'pipe', msg: 'x', timeoutMs: 100 });
  socket.write(
    `POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}\0garbage\r\n\r\n`,
  );
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  await once(socket, 'close');
  assert.match(text, /^HTTP\/1\.1 200 OK.*"code":"EAGAIN"/s);
});

// timeoutMs: waiting for room, in turn, and giving up.
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
import { listen, type TestApp, testApp } from '../../support/app.js';
import { type Fifo, openFifo, read } from '../../support/service.js';

const CAPACITY = 65_536;

/** An app whose target `pipe` is full, with the reader's end. */
async function fullPipe(
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
    'a partial write says so',
  );
  return { fifo, test, send };
}

for (const level of LEVEL_IDS.filter((id) => levels[id].available)) {
  test(`${level}: repeats until every byte is written, a record each`, async (t) => {
    const { fifo, test, send } = await fullPipe(t);
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

  test(`${level}: time is up: EAGAIN, and as far as it came`, async (t) => {
    const { send } = await fullPipe(t);
    const before = performance.now();
    const { written, error, calls } = await send({ level, msg: 'late', timeoutMs: 300 });
    const took = performance.now() - before;
    assert.deepEqual({ written, code: error?.code, calls }, { written: 0, code: 'EAGAIN', calls: 1 });
    assert.ok(took >= 299 && took < 5000, `${took} ms`);
  });
}

test('any other error ends the wait at once', async (t) => {
  const { fifo, send } = await fullPipe(t);
  const waiting = send({ msg: 'never', timeoutMs: 30_000 });
  fifo.reader.destroy();
  const { error, written } = await waiting;
  assert.deepEqual({ code: error?.code, written }, { code: 'EPIPE', written: 0 });
});

test('who waits takes turns: bytes never mix, and a timeoutMs of 0 goes at once', async (t) => {
  const { fifo, send } = await fullPipe(t);
  const letters = [...'abcdefgh'];
  const waiting = letters.map((letter) => send({ msg: letter.repeat(100_000), timeoutMs: 30_000 }));
  const { error, calls } = await send({ msg: 'now', timeoutMs: 0 });
  assert.deepEqual({ code: error?.code, calls }, { code: 'EAGAIN', calls: 1 });
  const taken = String(await read(fifo.reader, CAPACITY + letters.length * 100_000));
  assert.equal(
    taken.slice(CAPACITY),
    letters.map((letter) => letter.repeat(100_000)).join(''),
    'first come, first served',
  );
  for (const result of await Promise.all(waiting)) assert.deepEqual([result.written, result.error], [100_000, null]);
});

test('a turn that does not come in time is a 503, and no call', async (t) => {
  const { fifo, test, send } = await fullPipe(t);
  const first = send({ msg: 'first', timeoutMs: 30_000 });
  const answer = await test.post({ level: 'raw', target: 'pipe', msg: 'second', timeoutMs: 50 });
  assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [503, '1']);
  const third = send({ msg: 'third', timeoutMs: 30_000 });
  await read(fifo.reader, CAPACITY);
  assert.equal((await first).error, null);
  assert.equal((await third).error, null);
  assert.equal(String(await read(fifo.reader, 10)), 'firstthird');
});

test('too many that wait: 503 with Retry-After', async (t) => {
  const { fifo, test, send } = await fullPipe(t);
  const waiting = Array.from({ length: 100 }, () => send({ msg: 'w', timeoutMs: 30_000 }));
  const answer = await test.post({ level: 'raw', target: 'pipe', msg: 'one too many', timeoutMs: 50 });
  assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [503, '1']);
  const elsewhere = await test.post({ level: 'raw', target: 'out', msg: 'x', timeoutMs: 50 });
  assert.equal(elsewhere.statusCode, 200, 'another target is not held up');
  await read(fifo.reader, CAPACITY + 100);
  for (const { error } of await Promise.all(waiting)) assert.equal(error, null);
});

test('a client that goes away ends its wait, and the next one gets its turn', async (t) => {
  const { fifo, test, send } = await fullPipe(t);
  const url = await listen(test.app);
  const sockets = new Map<number | undefined, Socket>();
  test.app.server.on('connection', (socket: Socket) => sockets.set(socket.remotePort, socket));
  const leaving = request(`${url}/write`, { method: 'POST', headers: { 'content-type': 'application/json' } });
  leaving.on('error', () => {});
  leaving.end(JSON.stringify({ level: 'raw', target: 'pipe', msg: 'gone', timeoutMs: 60_000 }));
  // Its EAGAIN is recorded once it waits.
  const waits = async () => ((await (await fetch(`${url}/health`)).json()) as { next: number }).next === 3;
  while (!(await waits()));
  const next = send({ msg: 'next', timeoutMs: 30_000 });
  const left = once(sockets.get(leaving.socket?.localPort) as Socket, 'close');
  leaving.destroy();
  await left;
  const taken = read(fifo.reader, CAPACITY + 4);
  assert.equal((await next).error, null);
  assert.equal(String((await taken).subarray(CAPACITY)), 'next');
});

test('a wait keeps no other request waiting', async (t) => {
  const { fifo, test, send } = await fullPipe(t);
  const waiting = send({ msg: 'w', timeoutMs: 30_000 });
  for (let i = 0; i < 50; i++) assert.equal((await test.app.inject('/health')).statusCode, 200);
  await read(fifo.reader, CAPACITY);
  assert.equal((await waiting).error, null);
});

test('more targets wait than libuv has threads, and none holds up another', async (t) => {
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

test('close() while a write waits, or comes in: never a call on a descriptor that is somebody else’s by then', async (t) => {
  const { fifo, test, send } = await fullPipe(t);
  const waiting = send({ msg: 'SECRET', timeoutMs: 300 });
  // Its EAGAIN is recorded once it waits.
  while ((await test.app.inject('/health')).json().next < 3) await new Promise((resolve) => setImmediate(resolve));
  const late = test.post({ level: 'raw', target: 'pipe', msg: 'SECRET', timeoutMs: 300 });
  const [{ error, written }, { statusCode }] = await Promise.all([waiting, late, test.app.close()]);
  assert.deepEqual([error?.code, written, statusCode], ['EAGAIN', 0, 503]);
  assert.equal((await read(fifo.reader, CAPACITY)).includes('SECRET'), false);
});

test('a pipelined write does not wait on when its client has gone', async (t) => {
  const { fifo, test, send } = await fullPipe(t);
  const url = new URL(await listen(test.app));
  const socket = connect(Number(url.port), url.hostname);
  const body = JSON.stringify({ level: 'raw', target: 'pipe', msg: 'gone', timeoutMs: 60_000 });
  const post = `POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const connected = once(test.app.server, 'connection');
  socket.write(post + post);
  const [server] = (await connected) as [Socket];
  while (((await (await fetch(`${url.origin}/health`)).json()) as { next: number }).next < 3);
  const left = once(server, 'close');
  socket.destroy();
  await left;
  const next = send({ msg: 'next', timeoutMs: 30_000 });
  const taken = read(fifo.reader, CAPACITY + 4);
  assert.equal((await next).error, null);
  assert.equal(String((await taken).subarray(CAPACITY)), 'next');
});

test('garbage behind a waiting write does not take its answer away', async (t) => {
  const { test } = await fullPipe(t);
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

// Memory that requests hold has one bound: bodies that wait, and answers that clients do not take.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { WriteRequest } from '../../../src/protocol/calls.js';
import type { CallRecord, Events } from '../../../src/protocol/records.js';
import { witnessAvailability } from '../../../src/syscalls/index.js';
import { listen, testApp, until } from '../../support/app.js';
import { dial, parseAnswers, waitForNoConnections } from '../../support/connection.js';
import { write } from '../../support/exchange.js';
import { post } from '../../support/service.js';

const MIB = 1 << 20;
/** A burst whose records are long: 10,000 of them are more than the kernel takes for a client that does not read. */
const LONG_RECORDS = (count: number) => ({ level: 'raw', msg: '\u0001'.repeat(64), target: 'out', count });
const LONG_ID = { 'x-request-id': 'x'.repeat(64) };

/** Returns how many writes wait for the stuck pipe. */
async function waiting(app: FastifyInstance): Promise<number> {
  const { body } = await app.inject('/metrics');
  return Number(/syswire_waiting_writes\{target="stuck-pipe"\} (\d+)/.exec(body)?.[1]);
}

test('bodies that wait hold memory: one too many is a 503 that counts, until the others have their answers', async (t) => {
  const { app } = testApp(t, { heldBytes: 9 * MIB });
  const url = await listen(app);
  const large = { level: 'raw', msg: 'x'.repeat(MIB), target: 'stuck-pipe', timeoutMs: 60_000 };
  const clients = [new AbortController(), new AbortController()];
  const writes = clients.map(({ signal }) =>
    fetch(`${url}/write`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(large),
      signal,
    }).catch(() => {}),
  );
  await until(async () => (await waiting(app)) === 2);
  const refused = await post(`${url}/write`, { ...large, target: 'out' });
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.match(((await refused.json()) as { detail: string }).detail, /hold as much memory as they may: try again/);
  assert.match((await app.inject('/metrics')).body, /syswire_limited_total\{limit="memory"\} 1/);
  assert.equal((await post(`${url}/write`, { ...large, msg: 'small', target: 'out' })).status, 200);
  for (const client of clients) client.abort();
  await Promise.all(writes);
  await until(async () => (await waiting(app)) === 0);
  assert.equal((await post(`${url}/write`, { ...large, target: 'out' })).status, 200);
});

test('when a client leaves, all its requests give their memory back, also those behind one that waits', async (t) => {
  const { app, post } = testApp(t, { heldBytes: 9 * MIB });
  const wire = await dial(t, await listen(app));
  const waits = write('x'.repeat(MIB), { target: 'stuck-pipe', timeoutMs: 60_000 });
  await wire.take([waits + waits]);
  await until(async () => (await waiting(app)) === 2);
  assert.equal((await post({ level: 'raw', msg: 'x'.repeat(MIB), target: 'out' })).statusCode, 503);
  wire.end();
  await until(async () => (await waiting(app)) === 0);
  assert.equal((await post({ level: 'raw', msg: 'x'.repeat(2 * MIB), target: 'out' })).statusCode, 200);
});

test('an answer that is made for a client that has left holds no memory', async (t) => {
  const { app } = testApp(t, { heldBytes: 300 << 10 });
  let leave: (() => void) | undefined;
  app.addHook('preHandler', async ({ raw: { socket } }) => {
    const closed = leave && once(socket, 'close');
    leave?.();
    await closed;
  });
  // After the service's own hook, which holds the memory.
  const made = new Promise<void>((resolve) => app.addHook('onSend', async () => resolve()));
  const wire = await dial(t, await listen(app));
  leave = wire.end;
  await wire.take(['GET /main.js HTTP/1.1\r\nHost: localhost\r\n\r\n']);
  await made;
  leave = undefined;
  assert.equal((await app.inject('/main.js')).statusCode, 200);
});

test('a file that is not sent, because there is no memory for the answer, is closed', async (t) => {
  const { app } = testApp(t, { heldBytes: 1000 });
  await app.ready();
  const open = (): string[] => readdirSync('/proc/self/fd');
  const before = open().length;
  for (let i = 0; i < 20; i++) assert.equal((await app.inject('/main.js')).statusCode, 503);
  await until(() => open().length === before);
});

test('when a client leaves, the files of all answers that it has not taken are closed', async (t) => {
  const { app } = testApp(t);
  const { hostname, port } = new URL(await listen(app));
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = open();
  const socket = connect({ port: Number(port), host: hostname });
  socket.on('error', () => {});
  const connected = once(app.server, 'connection');
  socket.pause().write('GET /main.js HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(300));
  const [serverSide] = await connected;
  // The service has read more requests than it has sent answers.
  await until(() => serverSide.writableLength > 0 && open() > before + 20);
  socket.resetAndDestroy();
  await until(() => open() <= before);
});

test('many writes of one request hold memory for their results', async (t) => {
  const { post } = testApp(t, { heldBytes: MIB });
  const writes = (count: number) => ({ writes: Array(count).fill({ level: 'raw', msg: '', target: 'out' }) });
  assert.equal((await post(writes(100), {}, '/writes')).statusCode, 200);
  assert.equal((await post(writes(2000), {}, '/writes')).statusCode, 503);
});

test('a witnessed write or burst is refused before its first call, not when its answer is made', async (t) => {
  if (!witnessAvailability().available) return t.skip('needs a witness');
  const { app, post } = testApp(t, { heldBytes: 100 << 10 });
  const write = { level: 'raw', msg: 'x', target: 'out' };
  for (const [url, body] of Object.entries({ '/write': write, '/bursts': { ...write, count: 2 } })) {
    assert.equal((await post({ ...body, witness: true }, {}, url)).statusCode, 503, url);
    assert.equal((await post(body, {}, url)).statusCode, 200, url);
  }
  assert.equal((await app.inject('/health')).json().next, 4, 'only those without a witness made calls');
});

test('a login takes 8 KiB, whatever --body-limit says', async (t) => {
  const { post } = testApp(t, { token: 'a-token-for-this-test' });
  for (const url of ['/login', '/logout']) {
    const answer = await post({ token: 'x'.repeat(9000) }, {}, url);
    assert.equal(answer.statusCode, 413, url);
    assert.equal(answer.json().detail, 'the body is over the limit of 8192 bytes: send less');
  }
});

test('a page of records is made as the client takes it; overtaken by the ring it ends early, and nothing is skipped', async (t) => {
  const { app, post } = testApp(t, { history: 20_000 });
  const url = await listen(app);
  const burst = (count: number) => post(LONG_RECORDS(count), LONG_ID, '/bursts');
  await burst(20_000);
  const { hostname, port } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname });
  t.after(() => socket.destroy());
  socket.pause();
  socket.write('GET /events?since=1&limit=10000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  // The kernel takes some of it, and then the answer waits for this client.
  const [serverSide] = await once(app.server, 'request').then(([{ socket }]) => [socket]);
  await until(() => serverSide.writableLength > 0);
  assert.ok(serverSide.writableLength < 2 * MIB, `${serverSide.writableLength} bytes wait in the process`);
  await burst(20_000);
  const chunks: Buffer[] = [];
  socket.on('data', (data: Buffer) => chunks.push(data)).resume();
  await once(socket, 'close');
  const text = Buffer.concat(chunks).toString();
  const json = text
    .slice(text.indexOf('\r\n\r\n') + 4)
    .replace(/^[\da-f]+\r\n|\r\n0\r\n\r\n$/g, '')
    .replace(/\r\n[\da-f]+\r\n/g, '');
  const { events, next } = JSON.parse(json) as Events;
  assert.ok(events.length < 10_000, 'it ended early');
  assert.deepEqual(
    events.map(({ seq }: CallRecord) => seq),
    Array.from(events, (_, index) => index + 1),
  );
  assert.equal(next, events.length + 1);
});

test('a client that does not take its answer is cut off', async (t) => {
  const { app, post } = testApp(t);
  const url = await listen(app);
  assert.equal(app.server.timeout, 90_000);
  app.server.timeout = 200;
  await post(LONG_RECORDS(20_000), LONG_ID, '/bursts');
  const { hostname, port } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.pause();
  socket.write('GET /events?since=1&limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const [request] = await once(app.server, 'request');
  await once(request.socket, 'close');
});

/** A write that waits, so that the answers of the requests behind it wait too. */
const waitingWrite = (timeoutMs: number): string => {
  const body = JSON.stringify({ level: 'raw', msg: 'x', target: 'stuck-pipe', timeoutMs });
  return `POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};
const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

test('pipelined requests hold memory: one too many is a 503 behind the other answers, and the last', async (t) => {
  const { app } = testApp(t, { heldBytes: 100 << 10 });
  const wire = await dial(t, await listen(app));
  await wire.take([waitingWrite(300) + ask('/health').repeat(500)]);
  const { answers, rest } = parseAnswers(await wire.untilClosed());
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200, 200, 503],
  );
  assert.equal(answers.at(-1)?.headers.get('connection'), 'close');
  assert.equal(rest.length, 0);
  // The requests behind it are ignored: even their refusals would need memory.
  assert.match((await app.inject('/metrics')).body, /syswire_limited_total\{limit="memory"\} 1\n/);
});

test('what queued answers hold, memory and files, is free when their client leaves', async (t) => {
  const { app, post } = testApp(t, { heldBytes: 2 * MIB });
  const url = await listen(app);
  const asset = '/docs/static/swagger-ui-bundle.js';
  const openFiles = (): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).endsWith('swagger-ui-bundle.js');
      } catch {
        return false; // the folder's own
      }
    }).length;
  const wire = await dial(t, url);
  await wire.take([waitingWrite(60_000) + ask(asset).repeat(20)]);
  const status = async (size: number): Promise<number> =>
    (await post({ level: 'raw', msg: 'x'.repeat(size), target: 'out' })).statusCode;
  if (process.platform === 'linux') await until(() => openFiles() > 0);
  await until(async () => (await status(MIB / 2)) === 503);
  wire.end();
  await waitForNoConnections(app);
  await until(async () => (await status(MIB / 4)) === 200);
  if (process.platform === 'linux') await until(() => openFiles() === 0);
});

test('a body with more values than 10,000 writes have is a 400, however they are nested', async (t) => {
  const { app, post } = testApp(t);
  const send = (payload: string, url = '/writes') =>
    app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' }, payload });
  for (const body of [
    '['.repeat(MIB),
    `{"writes":[${Array(200_000).fill('{}')}]}`,
    `{${Array.from({ length: 100_000 }, (_, index) => `"${index}":1`)}}`,
  ]) {
    const answer = await send(body);
    assert.equal(answer.statusCode, 400);
    assert.equal(answer.json().detail, 'the body has more values than 10000 writes have: send fewer');
  }
  // Marks inside of a text are no values, and as many writes as there may be are taken, with all their fields.
  const msg = '[{:,\\"'.repeat(50_000);
  assert.equal((await post({ level: 'raw', msg, target: 'out' })).json().requested, 300_000);
  const write = { level: 'raw', msg: '', target: 'out', encoding: 'utf8', timeoutMs: 0, witness: false };
  assert.deepEqual(Object.keys(write).sort(), Object.keys(WriteRequest.shape).sort());
  assert.equal((await post({ writes: Array(10_000).fill(write) }, {}, '/writes')).statusCode, 200);
});

test('a body in chunks of one byte arrives whole', async (t) => {
  const { app, written } = testApp(t);
  const url = await listen(app);
  const body = JSON.stringify({ level: 'raw', msg: 'ab'.repeat(20_000), target: 'out' });
  const wire = await dial(t, url);
  const head =
    'POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked';
  const chunks = Array.from(body, (byte) => `1\r\n${byte}\r\n`).join('');
  await wire.take([`${head}\r\n\r\n${chunks}0\r\n\r\n`, 1]);
  assert.equal(parseAnswers(wire.received()).answers[0]?.status, 200);
  assert.equal(String(written()), 'ab'.repeat(20_000));
});

// Memory that requests hold has one bound: bodies that wait, and answers that clients do not take.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import type { CallRecord, Events } from '../../../src/protocol/records.js';
import { listen, testApp, until } from '../../support/app.js';
import { dial } from '../../support/connection.js';
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

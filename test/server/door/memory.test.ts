// Memory that requests hold has one bound: bodies that wait, and answers that clients do not take.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { CallRecord, Events } from '../../../src/protocol/records.js';
import { listen, testApp, turn } from '../../support/app.js';
import { post } from '../../support/service.js';

const MIB = 1 << 20;
/** A burst whose records are long: 10,000 of them are more than the kernel takes for a client that does not read. */
const LONG_RECORDS = (count: number) => ({ level: 'raw', msg: '\u0001'.repeat(64), target: 'out', count });
const LONG_ID = { 'x-request-id': 'x'.repeat(64) };

test('bodies that wait hold memory: one too many is a 503 that counts, until the others have their answers', async (t) => {
  const { app } = testApp(t, { heldBytes: 9 * MIB });
  const url = await listen(app);
  const large = { level: 'raw', msg: 'x'.repeat(MIB), target: 'stuck-pipe', timeoutMs: 60_000 };
  const clients = [new AbortController(), new AbortController()];
  const waiting = clients.map(({ signal }) =>
    fetch(`${url}/write`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(large),
      signal,
    }).catch(() => {}),
  );
  while (!/syswire_waiting_writes\{target="stuck-pipe"\} 2/.test((await app.inject('/metrics')).body)) await turn();
  const refused = await post(`${url}/write`, { ...large, target: 'out' });
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.match(((await refused.json()) as { detail: string }).detail, /hold as much memory as they may: try again/);
  assert.match((await app.inject('/metrics')).body, /syswire_limited_total\{limit="memory"\} 1/);
  assert.equal((await post(`${url}/write`, { ...large, msg: 'small', target: 'out' })).status, 200);
  for (const client of clients) client.abort();
  await Promise.all(waiting);
  while (/syswire_waiting_writes\{target="stuck-pipe"\} [1-9]/.test((await app.inject('/metrics')).body)) await turn();
  assert.equal((await post(`${url}/write`, { ...large, target: 'out' })).status, 200);
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
  while (serverSide.writableLength === 0) await turn();
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

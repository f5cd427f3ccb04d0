// An answer that is given before the whole body has arrived reaches its client, and a body is dropped within bounds.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import { test } from 'node:test';
import type { AppOptions } from '../../../src/server/app.js';
import { linger } from '../../../src/server/door/linger.js';
import { listen, testApp } from '../../support/app.js';

const TOKEN = 'a-token-for-this-test';
const MIB = 1 << 20;

/** Sends a request whose whole body is sent before a byte of the answer is read. @returns the answer */
async function sendThenRead(url: string, head: string, parts: Iterable<Buffer>): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname });
  await once(socket, 'connect');
  socket.pause();
  socket.write(head);
  for (const part of parts) if (!socket.write(part)) await once(socket, 'drain');
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  socket.resume();
  await once(socket, 'close');
  return answer;
}

function* repeat(part: Buffer, times: number): Generator<Buffer> {
  for (let i = 0; i < times; i++) yield part;
}

const head = (...fields: string[]): string =>
  ['POST /write HTTP/1.1', 'Host: localhost', ...fields, '', ''].join('\r\n');
const JSON_TYPE = 'Content-Type: application/json';
const LENGTH = `Content-Length: ${32 * MIB}`;
const chunk = (size: number): Buffer =>
  Buffer.concat([Buffer.from(`${size.toString(16)}\r\n`), Buffer.alloc(size, 'x'), Buffer.from('\r\n')]);

const ROWS: Record<string, { head: string; status: number; options?: AppOptions; part?: Buffer }> = {
  'a body over the limit': { head: head(JSON_TYPE, LENGTH), status: 413 },
  'chunks over the limit': { head: head(JSON_TYPE, 'Transfer-Encoding: chunked'), status: 413, part: chunk(MIB) },
  'no token': { head: head(JSON_TYPE, LENGTH), status: 401, options: { token: TOKEN } },
  'a foreign page': { head: head(JSON_TYPE, LENGTH, 'Origin: http://evil.example'), status: 403 },
  'another type': { head: head('Content-Type: text/plain', LENGTH), status: 415 },
  'a coded body': { head: head(JSON_TYPE, LENGTH, 'Content-Encoding: gzip'), status: 415 },
  'headers without an end': { head: `GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: `, status: 431 },
};

for (const [name, { head, status, options = {}, part = Buffer.alloc(MIB, 'x') }] of Object.entries(ROWS)) {
  test(`${name}: a client that sends 32 MiB before it reads gets the ${status}`, async (t) => {
    const url = await listen(testApp(t, options).app);
    const answer = await sendThenRead(url, head, repeat(part, 32));
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} .*\\r\\n`));
    assert.match(answer, /application\/problem\+json/);
    assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1);
  });
}

test('a request behind a body that was refused makes no call', async (t) => {
  const { app, written } = testApp(t);
  const url = await listen(app);
  const body = JSON.stringify({ level: 'raw', msg: 'x', target: 'out' });
  const next = Buffer.from(`${head(JSON_TYPE, `Content-Length: ${body.length}`)}${body}`);
  const answer = await sendThenRead(url, head(JSON_TYPE, LENGTH), [...repeat(Buffer.alloc(MIB, 'x'), 32), next]);
  assert.match(answer, /^HTTP\/1\.1 413 /);
  assert.equal(written().length, 0);
});

test('a small body that is refused early leaves its connection open', async (t) => {
  const url = await listen(testApp(t).app);
  const { hostname, port } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname });
  t.after(() => socket.destroy());
  socket.write(`${head('Content-Type: text/plain', 'Content-Length: 3')}`);
  const [first] = await once(socket, 'data');
  assert.match(`${first}`, /^HTTP\/1\.1 415 /);
  socket.write('abcGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const [second] = await once(socket, 'data');
  assert.match(`${second}`, /^HTTP\/1\.1 200 /);
});

test('a connection that has closed does not linger', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const socket = new Socket();
  socket.destroy();
  await once(socket, 'close');
  const before = timers();
  linger(socket);
  assert.equal(timers(), before);
});

// Each limit: the refusal names the remedy, the service counts it, and nothing is written.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { WritesResult } from '../../../src/protocol/calls.js';
import type { Problem } from '../../../src/protocol/problem.js';
import type { AppOptions } from '../../../src/server/app.js';
import type { Limit } from '../../../src/server/refusal.js';
import { listen, type TestApp, testApp, turn, until } from '../../support/app.js';
import { openFifo } from '../../support/service.js';
import { watch } from '../../support/watcher.js';

const TOKEN = 'a-token-for-this-test';
const WRITE = { level: 'raw', target: 'out', msg: 'x' };

/** Returns how often the service has counted a limit. */
async function countOf({ app }: TestApp, limit: Limit): Promise<number> {
  const { body } = await app.inject({ url: '/metrics', headers: { authorization: `Bearer ${TOKEN}` } });
  return Number(new RegExp(`^syswire_limited_total\\{limit="${limit}"\\} (\\d+)$`, 'm').exec(body)?.[1]);
}

/** Opens connections one after the other, and runs `use` on each. They stay open until the test ends. */
async function connectMany(
  t: TestContext,
  url: string,
  count: number,
  use: (socket: Socket) => Promise<unknown> = async () => {},
): Promise<Socket[]> {
  const { hostname, port } = new URL(url);
  const sockets: Socket[] = [];
  t.after(() => sockets.forEach((socket) => void socket.destroy()));
  for (let i = 0; i < count; i++) {
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    await once(socket, 'connect');
    await use(socket);
  }
  return sockets;
}

/** Sends `text` on a new connection, and returns the answer once the service has closed it. */
async function sendText(url: string, text: string): Promise<{ status: number; detail: string }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname, () => socket.write(text));
  let all = '';
  socket.on('data', (chunk) => {
    all += chunk;
  });
  await once(socket, 'close');
  const [head = '', body = ''] = all.split('\r\n\r\n');
  return { status: Number(head.split(' ', 2)[1]), detail: (JSON.parse(body) as Problem).detail };
}

type Row = {
  limit: Limit;
  options?: AppOptions;
  status: number;
  says: RegExp;
  /** Runs into the limit, and returns the answer. */
  reach: (t: TestContext, test: TestApp, url: string) => Promise<{ status: number; detail: string }>;
};

const post = async ({ post }: TestApp, body: object, url?: string): Promise<{ status: number; detail: string }> =>
  (await post(body, {}, url)).json<Problem>();

const ROWS: Row[] = [
  {
    limit: 'body',
    options: { bodyLimit: 100 },
    status: 413,
    says: /over the limit of 100 bytes: .*--body-limit/,
    reach: (_t, test) => post(test, { ...WRITE, msg: 'x'.repeat(100) }),
  },
  {
    limit: 'headers',
    status: 431,
    says: /headers are too large: send fewer/,
    reach: (_t, _test, url) =>
      sendText(url, `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`),
  },
  {
    limit: 'time',
    status: 408,
    says: /did not arrive in time: send it faster/,
    reach: (_t, _test, url) => sendText(url, 'POST /write HTTP/1.1\r\nHost: localhost\r\n'),
  },
  {
    limit: 'connections',
    options: { maxSubscribers: 0 },
    status: 503,
    says: /limit of \d+ connections is reached: close some/,
    reach: async (t, _test, url) => {
      await connectMany(t, url, 1000);
      return sendText(url, 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    },
  },
  {
    limit: 'subscribers',
    options: { maxSubscribers: 1 },
    status: 503,
    says: /limit of \d+ subscribers is reached: .*--max-subscribers/,
    reach: async (t, _test, url) => {
      await once(watch(t, url).socket, 'message');
      const [, response] = await once(watch(t, url).socket, 'unexpected-response');
      const chunks: Buffer[] = await response.toArray();
      return JSON.parse(`${Buffer.concat(chunks)}`);
    },
  },
  {
    limit: 'waiting',
    options: { maxWaiting: 1 },
    status: 503,
    says: /^target '[\w-]+' has reached the limit of 1 waiting writes: .*--max-waiting/,
    reach: (_t, test) => post(test, { ...WRITE, target: 'stuck-pipe', timeoutMs: 3000 }),
  },
  {
    limit: 'bursts',
    status: 503,
    says: /another burst is running/,
    reach: async (_t, test) => {
      const first = post(test, { ...WRITE, target: 'full', count: 1_000_000 }, '/bursts');
      await turn();
      const second = await post(test, { ...WRITE, count: 1 }, '/bursts');
      await first;
      return second;
    },
  },
  {
    limit: 'wrong-tokens',
    options: { token: TOKEN },
    status: 503,
    says: /too many wrong tokens/,
    reach: async (_t, test) => {
      const guesses = Array.from({ length: 11 }, (_, guess) => post(test, { token: `${guess}` }, '/login'));
      // The service answers ten wrong tokens late, one a second. It refuses the eleventh at once.
      const first = await Promise.race(guesses);
      for (const guess of guesses) guess.catch(() => {});
      return first;
    },
  },
];

for (const { limit, options, status, says, reach } of ROWS)
  test(`a request beyond the limit '${limit}' is a ${status}, is counted, and writes nothing`, {
    skip: limit === 'waiting' && process.platform !== 'linux',
  }, async (t) => {
    const test = testApp(t, options);
    if (limit === 'time') Object.assign(test.app.server, { requestTimeout: 100, connectionsCheckingInterval: 50 });
    const url = await listen(test.app);
    if (limit === 'waiting') {
      void post(test, { ...WRITE, target: 'stuck-pipe', timeoutMs: 3000 });
      await turn();
    }
    assert.equal(await countOf(test, limit), 0);
    const answer = await reach(t, test, url);
    assert.equal(answer.status, status);
    assert.match(answer.detail, says);
    assert.equal(await countOf(test, limit), 1);
    assert.equal(test.written().length, 0);
  });

test('a hundred connections over the limit are answered, later ones are closed, and room is made when connections close', async (t) => {
  const test = testApp(t, { maxSubscribers: 0 });
  const url = await listen(test.app);
  const open = await connectMany(t, url, 1100);
  const dropped = connect(Number(new URL(url).port), '127.0.0.1').resume();
  await once(dropped, 'close');
  assert.equal(dropped.bytesRead, 0);
  assert.equal(await countOf(test, 'connections'), 1);
  const served = open[999] as Socket;
  served.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  assert.match(`${(await once(served, 'data'))[0]}`, /^HTTP\/1.1 200 /, 'a connection from before the limit is served');
  for (const socket of open.splice(0, 500)) socket.destroy();
  const connected = async () =>
    Number(/^syswire_connections (\d+)/m.exec((await test.app.inject('/metrics')).body)?.[1]);
  await until(async () => (await connected()) <= 600);
  assert.equal((await fetch(`${url}/health`)).status, 200);
});

test('a new connection at the limit closes those that idle between two requests', async (t) => {
  const test = testApp(t, { maxSubscribers: 0 });
  const url = await listen(test.app);
  const idle = await connectMany(t, url, 1000, (socket) => {
    socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    return once(socket, 'data');
  });
  const closed = Promise.all(idle.map((socket) => once(socket, 'close')));
  assert.equal((await fetch(`${url}/health`)).status, 200);
  await closed;
  assert.equal(await countOf(test, 'connections'), 0);
});

test('POST /writes counts the limit that one of its writes runs into, like POST /write', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const test = testApp(t, { maxWaiting: 1 });
  const stuck = { ...WRITE, target: 'stuck-pipe', timeoutMs: 2000 };
  const first = post(test, stuck);
  await turn();
  const { results } = (await test.post({ writes: [WRITE, stuck] }, {}, '/writes')).json<WritesResult>();
  assert.equal((results[1] as Problem).status, 503);
  assert.equal(await countOf(test, 'waiting'), 1);
  assert.equal(test.written().length, 1, 'the other write was made');
  await first;
});

test('wrong logins that wait for their answer get it when the service stops', async (t) => {
  const test = testApp(t, { token: TOKEN });
  const url = await listen(test.app);
  const guess = async () =>
    (
      await fetch(`${url}/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"token":"wrong"}',
      })
    ).status;
  const guesses = Array.from({ length: 10 }, guess);
  // The service answers one wrong token a second: nine logins still wait.
  assert.equal(await Promise.race(guesses), 401);
  await test.app.close();
  assert.deepEqual(await Promise.all(guesses), new Array(10).fill(401));
});

test('a write that has waited for a target no longer counts against the limit', async (t) => {
  const fifo = openFifo(t);
  const test = testApp(t, { maxWaiting: 1, targets: { pipe: fifo.path } });
  closeSync(fifo.writer);
  for (let i = 0; i < 3; i++)
    assert.equal((await test.post({ level: 'raw', target: 'pipe', msg: 'x', timeoutMs: 1000 })).statusCode, 200);
});

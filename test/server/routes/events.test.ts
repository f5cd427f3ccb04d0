// GET /events returns the records as JSON, or streams them over WebSocket.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import type { Problem } from '../../../src/protocol/problem.js';
import type { CallRecord } from '../../../src/protocol/records.js';
import { listen, type TestApp, testApp } from '../../support/app.js';
import { seqs, watch } from '../../support/watcher.js';

async function makeCalls(app: TestApp, count: number, body: object = {}): Promise<void> {
  for (let i = 0; i < count; i++) await app.post({ level: 'raw', msg: 'x', target: 'out', ...body });
}

test('a record has the same facts as the answer to its call', async (t) => {
  const app = testApp(t);
  const result = (
    await app.post({ level: 'os', msg: 'a\u001b[31mb\\\n\u0085é', target: 'out' }, { 'x-request-id': 'r1' })
  ).json();
  const { events, next, oldest } = (await app.app.inject('/events')).json();
  const [{ time, pid, fd, ...record }] = events;
  const { calls, ...answered } = result;
  assert.deepEqual(record, { type: 'call', ...answered, preview: 'a\\x1b[31mb\\\\\\n\\x85é' });
  assert.ok(Math.abs(time - Date.now()) < 5000);
  assert.equal(pid, process.pid);
  assert.ok(fd > 2);
  assert.deepEqual([calls, next, oldest], [1, 2, 1]);
});

test('the preview has 64 bytes at most, and does not end within a character', async (t) => {
  const app = testApp(t);
  await app.post({ level: 'raw', msg: `${'x'.repeat(62)}世界`, target: 'out' });
  await app.post({ level: 'raw', msg: 'x'.repeat(65), target: 'out' });
  const { events } = (await app.app.inject('/events')).json();
  assert.deepEqual(
    events.map(({ preview }: CallRecord) => preview),
    ['x'.repeat(62), 'x'.repeat(64)],
  );
});

test('the preview shows a byte order mark escaped, and an invalid byte at its end as U+FFFD', async (t) => {
  const app = testApp(t);
  await app.post({ level: 'raw', msg: '\ufeffhi', target: 'out' });
  const broken = Buffer.concat([Buffer.alloc(63, 'x'), Buffer.from([0xff])]);
  await app.post({ level: 'raw', msg: broken.toString('base64'), encoding: 'base64', target: 'out' });
  const { events } = (await app.app.inject('/events')).json();
  assert.deepEqual(
    events.map(({ preview }: CallRecord) => preview),
    ['\\ufeffhi', `${'x'.repeat(63)}\ufffd`],
  );
});

test('GET /events as JSON honours since, limit and filters, and reports the oldest record that the ring still has', async (t) => {
  const app = testApp(t, { history: 10 });
  await makeCalls(app, 8);
  await makeCalls(app, 4, { level: 'std', target: 'full' });
  const get = async (query: string) => (await app.app.inject(`/events${query}`)).json();
  assert.deepEqual(seqs((await get('')).events), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  assert.deepEqual(seqs((await get('?since=11')).events), [11, 12]);
  assert.deepEqual(await get('?since=0'), await get('?since=1'), '0 is the beginning too');
  assert.deepEqual(seqs((await get('?since=13')).events), []);
  const page = await get('?since=1&limit=3');
  assert.deepEqual([seqs(page.events), page.next, page.oldest], [[3, 4, 5], 6, 3]);
  assert.deepEqual(seqs((await get('?level=std')).events), [9, 10, 11, 12]);
  assert.deepEqual(seqs((await get('?errors=1&limit=1')).events), [9]);
  assert.deepEqual(seqs((await get('?target=out&since=7')).events), [7, 8]);
  assert.deepEqual(seqs((await get(`?requestId=${(await get('')).events[2].requestId}`)).events), [5]);
});

test('a request that is sent twice writes twice, and its id finds both calls; one that never came has none', async (t) => {
  const { app, post, written } = testApp(t);
  const send = () => post({ level: 'raw', msg: 'once\n', target: 'out' }, { 'x-request-id': 'job-7' });
  const callsOf = async (id: string): Promise<number[]> =>
    (await app.inject(`/events?requestId=${id}`)).json().events.map((event: CallRecord) => event.written);
  await send();
  assert.deepEqual([await callsOf('job-7'), await callsOf('job-8')], [[5], []]);
  await send();
  assert.deepEqual([await callsOf('job-7'), String(written())], [[5, 5], 'once\nonce\n']);
});

const BAD_QUERIES: [query: string, status: number][] = [
  ['since=-1', 400],
  ['since=1.5', 400],
  ['since=x', 400],
  ['since=', 400],
  ['since=99999999999999999999', 400],
  ['since=1&since=2', 400],
  ['limit=0', 400],
  ['limit=10001', 400],
  ['level=RAW', 400],
  ['errors=2', 400],
  ['colour=red', 400],
  ['target=printer', 404],
];

for (const [query, status] of BAD_QUERIES) {
  test(`the query ?${query} is a ${status}, for JSON and for the upgrade`, async (t) => {
    const { app } = testApp(t);
    const answer = await app.inject(`/events?${query}`);
    assert.deepEqual([answer.statusCode, answer.headers['content-type']], [status, 'application/problem+json']);
    const { socket } = watch(t, await listen(app), `?${query}`);
    const [, refusal] = await once(socket, 'unexpected-response');
    assert.deepEqual([refusal.statusCode, refusal.headers['content-type']], [status, 'application/problem+json']);
    refusal.resume();
    await app.close();
  });
}

test('a since of the future or of another run is a problem for JSON, and an error and a close with 1008 for the stream', async (t) => {
  const { app } = testApp(t);
  const url = await listen(app);
  for (const [query, pointer, says] of [
    ['?since=2', '?since', /since=2 is in the future: use 1, the next record, or less/],
    ['?since=1&run=other', '?run', /run 'other' is over/],
    ['?run=other', '?run', /run 'other' is over/],
  ] as const) {
    const answer = await app.inject(`/events${query}`);
    assert.equal(answer.statusCode, 400);
    const { detail, errors } = answer.json<Problem>();
    assert.match(detail, says);
    assert.deepEqual(errors, [{ pointer, detail }]);
    const { socket, lines } = watch(t, url, query);
    const [code] = await once(socket, 'close');
    assert.equal(code, 1008);
    assert.deepEqual(
      lines.map(({ type }) => type),
      ['hello', 'error'],
    );
    assert.match(lines[1]?.detail ?? '', says);
  }
});

test('a stream begins with hello, and goes on with new records', async (t) => {
  const app = testApp(t);
  await makeCalls(app, 2);
  const watcher = watch(t, await listen(app.app));
  await watcher.until((lines) => lines.length === 1);
  const health = (await app.app.inject('/health')).json();
  assert.deepEqual(watcher.lines[0], {
    type: 'hello',
    run: health.run,
    pid: process.pid,
    started: health.started,
    host: hostname(),
    version: health.version,
    oldest: 1,
    next: 3,
  });
  await makeCalls(app, 3);
  await watcher.until((lines) => lines.length === 4);
  assert.deepEqual(seqs(watcher.lines), [3, 4, 5]);
  const { events } = (await app.app.inject('/events?since=3')).json();
  assert.deepEqual(watcher.lines.slice(1), events, 'the lines are the records of GET /events as JSON');
});

test('a stream replays from since, reports what is gone as a gap, and goes on live', async (t) => {
  const app = testApp(t, { history: 4 });
  await makeCalls(app, 10);
  const watcher = watch(t, await listen(app.app), '?since=3');
  await watcher.until((lines) => lines.length === 6);
  assert.deepEqual(watcher.lines[1], { type: 'gap', from: 3, to: 6 });
  const whole = watch(t, addressOf(app), '?since=0');
  await whole.until((lines) => lines.length === 6);
  assert.deepEqual(whole.lines[1], { type: 'gap', from: 1, to: 6 }, 'since=0 begins at the first record, which is 1');
  assert.deepEqual(seqs(watcher.lines), [7, 8, 9, 10]);
  await makeCalls(app, 1);
  await watcher.until((lines) => seqs(lines).length === 5);
  assert.deepEqual(seqs(watcher.lines).at(-1), 11);
  const live = watch(t, addressOf(app), '?since=12');
  await live.until((lines) => lines.length === 1);
  await makeCalls(app, 1);
  assert.deepEqual(seqs(await live.until((lines) => lines.length === 2)), [12]);
});

/** Returns the address of an app that listens already. */
function addressOf({ app }: TestApp): string {
  const [at] = app.addresses();
  return `http://127.0.0.1:${(at as { port: number }).port}`;
}

test('a stream has only the records that pass its filter', async (t) => {
  const app = testApp(t);
  const url = await listen(app.app);
  const watchers = ['?level=os', '?errors=1', '?target=full&level=std', '?requestId=mine'].map((query) =>
    watch(t, url, query),
  );
  for (const { until } of watchers) await until((lines) => lines.length === 1);
  for (const level of ['raw', 'os', 'std']) {
    await makeCalls(app, 1, { level });
    await makeCalls(app, 1, { level, target: 'full' });
  }
  await app.post({ level: 'os', msg: 'x', target: 'full' }, { 'x-request-id': 'mine' });
  await app.post({ level: 'std', msg: 'x', target: 'full' }, { 'x-request-id': 'mine' });
  const expected = [
    [3, 4, 7],
    [2, 4, 6, 7, 8],
    [6, 8],
    [7, 8],
  ];
  for (const [index, { until }] of watchers.entries())
    assert.deepEqual(seqs(await until((lines) => seqs(lines).length === expected[index]?.length)), expected[index]);
});

test('a subscriber that sends a frame is closed with 1008, and other subscribers go on', async (t) => {
  const app = testApp(t);
  const url = await listen(app.app);
  const [chatty, quiet] = [watch(t, url), watch(t, url)];
  await chatty.until((lines) => lines.length === 1);
  await quiet.until((lines) => lines.length === 1);
  chatty.socket.send('hello?');
  assert.equal((await once(chatty.socket, 'close'))[0], 1008);
  await makeCalls(app, 1);
  await quiet.until((lines) => lines.length === 2);
});

test('a subscriber that vanishes is removed, and the service still stops in time', async (t) => {
  const app = testApp(t);
  const url = await listen(app.app);
  const gone = watch(t, url);
  await gone.until((lines) => lines.length === 1);
  const { clients } = app.app.websocketServer;
  const [server] = clients;
  assert.ok(server);
  const closed = once(server, 'close');
  gone.socket.terminate();
  await closed;
  await makeCalls(app, 1);
  assert.equal(clients.size, 0);
  const before = performance.now();
  await app.app.close();
  assert.ok(performance.now() - before < 3500);
});

test('the service accepts no subprotocol', async (t) => {
  const { app } = testApp(t);
  const socket = new WebSocket(`${(await listen(app)).replace('http', 'ws')}/events`, ['one', 'two']);
  t.after(() => socket.terminate());
  const [error] = await once(socket, 'error');
  assert.match(error.message, /no subprotocol/);
});

/** Sends bytes as they are, and returns the whole answer once the service has closed. */
async function exchange(url: string, request: string): Promise<{ status: number; head: string; body: string }> {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect(Number(port), hostname);
  socket.setEncoding('utf8');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.write(request.replaceAll('\n', '\r\n'));
  await once(socket, 'close', { signal: AbortSignal.timeout(5000) });
  const [head = '', body = ''] = text.split('\r\n\r\n', 2);
  return { status: Number(head.split(' ')[1]), head, body };
}

const UPGRADE =
  'Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n';

const EARLY: [name: string, request: string, status: number, says: RegExp][] = [
  [
    'an upgrade on another route',
    `GET /levels HTTP/1.1\nHost: localhost\n${UPGRADE}\n`,
    400,
    /WebSocket is not supported here: .* use \/events/,
  ],
  [
    'an upgrade from another site',
    `GET /events HTTP/1.1\nHost: localhost\nOrigin: http://evil.example\n${UPGRADE}\n`,
    403,
    /Origin/,
  ],
  [
    'an upgrade without a key',
    `GET /events HTTP/1.1\nHost: localhost\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n\n`,
    400,
    /Sec-WebSocket-Key/,
  ],
  [
    'an upgrade to an unknown version',
    `GET /events HTTP/1.1\nHost: localhost\n${UPGRADE.replace('13', '99')}\n`,
    400,
    /Sec-WebSocket-Version/,
  ],
  ['a request without Host', 'GET /health HTTP/1.1\nConnection: close\n\n', 400, /Host header is missing/],
  ['a request with an empty Host', 'GET /health HTTP/1.1\nHost:\nConnection: close\n\n', 400, /Host header/],
  [
    'a request with headers that are too large',
    `GET /health HTTP/1.1\nHost: localhost\nX-A: ${'a'.repeat(20_000)}\n\n`,
    431,
    /headers are too large/,
  ],
  ['a line that is not HTTP', 'hello\n\n', 400, /not valid HTTP\/1\.1/],
  [
    'a request with two lengths',
    `POST /write HTTP/1.1\nHost: localhost\nContent-Length: 3\nContent-Length: 4\n\nabc`,
    400,
    /not valid HTTP\/1\.1/,
  ],
];

for (const [name, request, status, says] of EARLY) {
  test(`${name} gets a ${status} and is closed, nothing is written, and the service still stops in time`, async (t) => {
    const { app, written } = testApp(t);
    const answer = await exchange(await listen(app), request);
    assert.equal(answer.status, status);
    assert.match(answer.head, /content-type: application\/problem\+json/i);
    const problem: Problem = JSON.parse(answer.body);
    assert.equal(problem.status, status);
    assert.match(problem.detail, says);
    assert.equal(written().length, 0);
    const before = performance.now();
    await app.close();
    assert.ok(performance.now() - before < 3500);
  });
}

// The stream, and subscribers that behave badly: slow, dead, chatty, too many.
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import { createJournal, type Journal } from '../../../src/server/records/journal.js';
import { createStream } from '../../../src/server/records/stream.js';
import { listen, type TestApp, testApp, turn, until } from '../../support/app.js';
import { frame, PING } from '../../support/frames.js';
import { append } from '../../support/journal.js';
import { type Line, seqs, type Watcher, watch } from '../../support/watcher.js';

const UPGRADE =
  'GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** Subscribes with a plain socket, and returns it after the hello. */
async function subscribeByHand(t: TestContext, url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(UPGRADE);
  for (let text = ''; !text.includes('"hello"'); ) text += String((await once(socket, 'data'))[0]);
  return socket;
}

/** Waits for a socket's close. once() would reject at an error before it. */
const waitForClose = (socket: WebSocket): Promise<void> =>
  new Promise((resolve) => socket.once('close', () => resolve()));

/** Returns the service's side of the only subscriber's connection. */
const serverSideOf = ({ app }: TestApp): WebSocket => [...app.websocketServer.clients][0] as WebSocket;

async function makeCalls(app: TestApp, count: number): Promise<void> {
  const { statusCode } = await app.post({ level: 'raw', msg: 'x', target: 'full', count }, {}, '/bursts');
  assert.equal(statusCode, 200);
}

const RUN = { run: 'r', pid: 1, started: 0, host: 'h', version: '0' };

test('a subscriber over the limit gets a 503 before the upgrade, and there is room when another one leaves', async (t) => {
  const app = testApp(t, { maxSubscribers: 2 });
  const url = await listen(app.app);
  const [one, two] = [watch(t, url), watch(t, url)];
  for (const { until } of [one, two]) await until((lines) => lines.length === 1);
  const { socket } = watch(t, url);
  const [, refusal] = await once(socket, 'unexpected-response');
  assert.deepEqual([refusal.statusCode, refusal.headers['retry-after']], [503, '1']);
  refusal.resume();
  assert.equal((await app.app.inject('/events')).statusCode, 200, 'GET /events without an upgrade does not count');
  const left = waitForClose(serverSideOf(app));
  one.socket.close();
  await left;
  await watch(t, url).until((lines) => lines.length === 1);
});

test('each of 200 subscribers gets every record', async (t) => {
  const app = testApp(t);
  const url = await listen(app.app);
  const all = Array.from({ length: 200 }, () => watch(t, url));
  for (const { until } of all) await until((lines) => lines.length === 1);
  await makeCalls(app, 2000);
  for (const { until, lines } of all) {
    await until(() => seqs(lines).length === 2000);
    assert.deepEqual(
      seqs(lines),
      Array.from({ length: 2000 }, (_, i) => i + 1),
    );
  }
});

test('a subscriber that keeps up misses no record of a burst, even with a ring of 64 records', async (t) => {
  const app = testApp(t, { history: 64 });
  const watcher = watch(t, await listen(app.app));
  await watcher.until((lines) => lines.length === 1);
  await makeCalls(app, 500);
  await watcher.until((lines) => seqs(lines).length === 500);
  assert.equal(watcher.lines.length, 501, 'no gap');
});

test('a filter that no record of a long history passes still lets a new record through', async (t) => {
  const app = testApp(t);
  await makeCalls(app, 60_000);
  const watcher = watch(t, await listen(app.app), '?since=1&target=out');
  await watcher.until((lines) => lines.length === 1);
  await app.post({ level: 'raw', msg: 'x', target: 'out' });
  assert.deepEqual(seqs(await watcher.until((lines) => lines.length === 2)), [60_001]);
});

test('for a subscriber that stops reading less than 256 KiB waits, and when it reads on it accounts for every record', async (t) => {
  const app = testApp(t, { history: 1000 });
  const { socket, lines, until }: Watcher = watch(t, await listen(app.app));
  await until(() => lines.length === 1);
  socket.pause();
  const serverSide = serverSideOf(app);
  for (let most = 0; most < 50; most++) {
    await makeCalls(app, 1000);
    assert.ok(serverSide.bufferedAmount < 1 << 18, `${serverSide.bufferedAmount} bytes wait`);
  }
  socket.resume();
  const accountedFor = (): number =>
    lines.reduce(
      (sum, { type, from = 0, to = 0 }) => sum + (type === 'call' ? 1 : type === 'gap' ? to - from + 1 : 0),
      0,
    );
  await until(() => accountedFor() === 50_000);
  assert.equal(lines.at(-1)?.seq, 50_000);
});

test('the service answers pings of every size, up to 125 bytes', async (t) => {
  const app = testApp(t);
  const { socket, until } = watch(t, await listen(app.app));
  await until((lines) => lines.length === 1);
  for (const size of [0, 1, 124, 125]) {
    const data = Buffer.alloc(size, 'p');
    socket.ping(data);
    assert.deepEqual((await once(socket, 'pong'))[0], data);
  }
});

test('a ping over 125 bytes disconnects its sender, and other subscribers go on', async (t) => {
  const app = testApp(t);
  const url = await listen(app.app);
  const other = watch(t, url);
  await other.until((lines) => lines.length === 1);
  const socket = await subscribeByHand(t, url);
  socket.write(frame(PING, Buffer.alloc(126)));
  socket.resume();
  await once(socket, 'end');
  socket.destroy();
  await makeCalls(app, 1);
  await other.until((lines) => lines.length === 2);
});

test('pongs that a subscriber does not read take less than 256 KiB', async (t) => {
  const app = testApp(t);
  const socket = await subscribeByHand(t, await listen(app.app));
  socket.pause();
  const serverSide = serverSideOf(app);
  const pings = Buffer.concat(Array(10_000).fill(frame(PING, Buffer.alloc(125))));
  let seen = 0;
  serverSide.on('ping', () => {
    seen += 1;
  });
  let most = 0;
  for (let sent = 0; sent < 12; sent++) {
    socket.write(pings);
    await until(() => seen >= (sent + 1) * 10_000);
    most = Math.max(most, serverSide.bufferedAmount);
  }
  assert.ok(most > 0, 'pongs do wait');
  assert.ok(most < 1 << 18, `${most} bytes wait`);
});

test('a record still arrives after pongs have filled the buffer and are read', async (t) => {
  const app = testApp(t);
  const socket = await subscribeByHand(t, await listen(app.app));
  socket.pause();
  const serverSide = serverSideOf(app);
  const pings = Buffer.concat(Array(10_000).fill(frame(PING, Buffer.alloc(125))));
  let seen = 0;
  serverSide.on('ping', () => {
    seen += 1;
  });
  for (let sent = 10_000; serverSide.bufferedAmount < 1 << 17; sent += 10_000) {
    socket.write(pings);
    await until(() => seen >= sent);
  }
  await makeCalls(app, 1);
  let text = '';
  socket.on('data', (chunk) => {
    text = text.slice(-100) + chunk.toString('latin1');
    if (text.includes('"type":"call"')) socket.emit('record');
  });
  const record = once(socket, 'record', { signal: AbortSignal.timeout(10_000) });
  socket.resume();
  await record;
});

test('the stream schedules one turn at a time, however often the journal is urgent', async () => {
  const journal = createJournal({ capacity: 10, run: 'run', levels: LEVEL_IDS, targets: [{ name: 'out', fd: 9 }] });
  const stream = createStream({
    journal,
    service: RUN,
    maxSubscribers: 9,
    delivery: { delivered: 0, lost: 0 },
  });
  /** The parts of a WebSocket that the stream uses; each frame takes longer than the stream's share of a turn. */
  class Slow extends EventEmitter {
    readyState = 1;
    OPEN = 1;
    bufferedAmount = 0;
    send(_text: string, sent?: () => void): void {
      const start = performance.now();
      while (performance.now() - start < 3);
      if (sent) setImmediate(sent);
    }
  }
  const slow = [new Slow(), new Slow(), new Slow()] as unknown as WebSocket[];
  for (const socket of slow) stream.subscribe(socket, { since: undefined, run: undefined, filter: {} });
  await turn();
  const before = process.getActiveResourcesInfo().filter((name) => name === 'Immediate').length;
  append(journal, 200);
  let most = 0;
  for (let turns = 0; turns < 20; turns++) {
    most = Math.max(most, process.getActiveResourcesInfo().filter((name) => name === 'Immediate').length - before);
    await turn();
  }
  for (const socket of slow) socket.emit('close');
  stream.stop();
  assert.ok(most < 60, `${most} immediates: expected one for the callback of each of forty frames, and hardly more`);
});

test('with a ring of one record, the calls of a turn do not each wait for a frame to every subscriber', async (t) => {
  const journal = createJournal({ capacity: 1, run: 'run', levels: LEVEL_IDS, targets: [{ name: 'out', fd: 9 }] });
  const delivery = { delivered: 0, lost: 0 };
  const stream = createStream({ journal, service: RUN, maxSubscribers: 99, delivery });
  let frames = 0;
  const lines: string[] = [];
  /** The parts of a WebSocket that the stream uses; the first keeps its lines. */
  class Fast extends EventEmitter {
    readyState = 1;
    OPEN = 1;
    bufferedAmount = 0;
    send(text: string): void {
      frames += 1;
      if (this === sockets[0]) lines.push(...text.split('\n'));
    }
    close(): void {
      this.emit('close');
    }
  }
  const sockets = Array.from({ length: 64 }, () => new Fast());
  for (const socket of sockets)
    stream.subscribe(socket as unknown as WebSocket, { since: undefined, run: undefined, filter: {} });
  await turn();
  frames = 0;
  // A clock on which each look takes 10 µs: two hundred frames fill the stream's share of a turn.
  let now = 0;
  const clock = t.mock.method(performance, 'now', () => (now += 0.01));
  append(journal, 10_000);
  assert.ok(frames > 0 && frames < 1000, `${frames} frames in one turn`);
  for (let turns = 0; turns < 5; turns++) await turn();
  clock.mock.restore();
  stream.stop();
  await until(() => stream.subscribers() === 0);
  let next = 1;
  for (const { type, seq, from, to } of lines.map((line) => JSON.parse(line))) {
    if (type !== 'call' && type !== 'gap') continue;
    assert.equal(type === 'gap' ? from : seq, next);
    next = (type === 'gap' ? to : seq) + 1;
  }
  assert.equal(next, 10_001, 'delivered and gaps are all records');
});

test('at a stop a subscriber that takes nothing is sent a last gap and a close, and is then disconnected', async () => {
  const journal = createJournal({ capacity: 10, run: 'run', levels: LEVEL_IDS, targets: [{ name: 'out', fd: 9 }] });
  const delivery = { delivered: 0, lost: 0 };
  const stream = createStream({ journal, service: RUN, maxSubscribers: 9, delivery });
  /** The parts of a WebSocket that the stream uses, for a client that takes nothing. */
  class Stuck extends EventEmitter {
    readyState = 1;
    OPEN = 1;
    bufferedAmount = 1 << 20;
    sent: unknown[] = [];
    send(text: string): void {
      this.sent.push(JSON.parse(text));
    }
    close(code: number): void {
      this.readyState = 2;
      this.sent.push(code);
    }
    terminate(): void {
      this.emit('close');
    }
  }
  const stuck = new Stuck();
  stream.subscribe(stuck as unknown as WebSocket, { since: undefined, run: undefined, filter: { errors: true } });
  append(journal, 7);
  const closed = once(stuck, 'close');
  stream.stop();
  await closed;
  const [hello, ...rest] = stuck.sent;
  assert.equal((hello as Line).type, 'hello');
  assert.deepEqual(rest, [{ type: 'gap', from: 1, to: 7 }, { type: 'end', run: 'r', last: 7 }, 1001]);
  assert.deepEqual(delivery, { delivered: 0, lost: 7 });
  assert.equal(stream.subscribers(), 0);
});

for (const [name, leave] of Object.entries<(socket: Socket) => void>({
  'half-closes': (socket) => socket.end(),
  resets: (socket) => socket.resetAndDestroy(),
  'sends garbage': (socket) => socket.write(Buffer.alloc(100, 0xff)),
  'sends an endless message': (socket) =>
    socket.write(Buffer.concat([Buffer.from([0x01, 0xfe, 0x0f, 0xff]), Buffer.alloc(5000)])),
})) {
  test(`a subscriber that ${name} is removed, and other subscribers go on`, async (t) => {
    const app = testApp(t);
    const url = await listen(app.app);
    const socket = await subscribeByHand(t, url);
    const gone = waitForClose(serverSideOf(app));
    const other = watch(t, url);
    await other.until((lines) => lines.length === 1);
    leave(socket);
    socket.resume();
    await gone;
    socket.destroy();
    await makeCalls(app, 1);
    await other.until((lines) => lines.length === 2);
    const before = performance.now();
    await app.app.close();
    assert.ok(performance.now() - before < 3500);
  });
}

/** Starts a stream with a heartbeat every 50 ms. `serverSide` is the server's side of the first connection. */
async function startFastHeartbeat(
  t: TestContext,
): Promise<{ journal: Journal; url: string; serverSide: Promise<WebSocket> }> {
  const journal = createJournal({
    capacity: 1 << 16,
    run: 'run',
    levels: LEVEL_IDS,
    targets: [{ name: 'out', fd: 9 }],
  });
  const delivery = { delivered: 0, lost: 0 };
  const stream = createStream({ journal, service: RUN, maxSubscribers: 9, delivery, heartbeatMs: 50 });
  const server = createServer().listen(0, '127.0.0.1');
  const sockets = new WebSocketServer({ server, autoPong: false });
  const serverSide = once(sockets, 'connection').then(([socket]) => {
    stream.subscribe(socket, { since: 1, run: undefined, filter: {} });
    return socket as WebSocket;
  });
  t.after(() => {
    stream.stop();
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
  await once(server, 'listening');
  return { journal, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, serverSide };
}

test('the heartbeat keeps a subscriber that answers, and drops one that does not', async (t) => {
  const { url, serverSide } = await startFastHeartbeat(t);
  const { socket } = watch(t, url);
  for (let beats = 0; beats < 15; beats++) await once(socket, 'ping');
  assert.equal((await serverSide).readyState, WebSocket.OPEN);
  socket.pause();
  await waitForClose(await serverSide);
});

test('the heartbeat keeps a subscriber that reads slowly and answers no ping', async (t) => {
  const { journal, url, serverSide } = await startFastHeartbeat(t);
  const message = Buffer.alloc(64, 'x');
  append(journal, 1 << 16, { bytes: message, result: 64 });
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.write(UPGRADE);
  socket.pause();
  const server = await serverSide;
  let beats = 0;
  const ping = server.ping.bind(server);
  server.ping = () => {
    beats += 1;
    ping();
  };
  // The subscriber reads a little at each heartbeat, and never sends a pong.
  let seen = 0;
  while (beats < 13) {
    const before = beats;
    await until(() => beats > before || server.readyState !== WebSocket.OPEN);
    assert.equal(server.readyState, WebSocket.OPEN, `after ${beats} heartbeats and ${seen} bytes`);
    for (let taken = 0; taken < 1 << 20; ) {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) await once(socket, 'readable');
      else {
        taken += chunk.length;
        seen += chunk.length;
      }
    }
  }
});

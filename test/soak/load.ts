// The load: clients of many kinds, side by side. A table of them, each with what one turn of it does.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { WriteResult } from '../../src/protocol/calls.js';
import { type AskOptions, type Client, createClient, type World } from './client.js';
import { burstOf, createRandom, writeOf } from './messages.js';

/** Targets that take what they get, and those that make writers wait. */
const OPEN = ['file', 'fifo-1', 'fifo-2', 'null', 'stdout', 'terminal'];
const NARROW = ['stuck', 'slow', 'terminal'];
const READABLE = [...OPEN, ...NARROW];

export type ClientKind = {
  clients: number;
  /** How long a client rests between two turns, in ms, at most. */
  restMs: number;
  /** What one turn does. */
  turn: (client: Client) => Promise<void>;
};

/** How long a request may take to arrive, in ms, and how much later that is noticed: src/server/app.ts. */
const REQUEST_MS = 60_000;
const REQUEST_CHECK_MS = 5000;
/** How much later than it should an answer may come, on a machine that has other things to do. */
const LATE_MS = 5000;

const json = { 'content-type': 'application/json' };
const good = { level: 'std', msg: 'x', target: 'null' };
const tooMuch = Buffer.alloc((4 << 20) + 1, ' ');

/** Requests that make no call, and what is said to them. */
const WRONG: [status: number, method: string, path: string, options: AskOptions][] = [
  [400, 'POST', '/write', { headers: json, body: '{"level":' }],
  [400, 'POST', '/write', { headers: json, body: '' }],
  [400, 'POST', '/write', { headers: json, body: Buffer.from([0x22, 0xff, 0x22]) }],
  [400, 'POST', '/write', { headers: json, body: JSON.stringify({ ...good, level: 'quantum' }) }],
  [400, 'POST', '/write', { headers: json, body: JSON.stringify({ ...good, encoding: 'base64', msg: 'x' }) }],
  [400, 'POST', '/write', { headers: json, body: JSON.stringify({ ...good, fd: 1 }) }],
  [400, 'POST', '/writes', { headers: json, body: JSON.stringify({ writes: [good, { ...good, timeoutMs: -1 }] }) }],
  [400, 'POST', '/bursts', { headers: json, body: JSON.stringify({ ...good, count: 1e6, ratePerSecond: 1 }) }],
  [400, 'GET', '/events?since=999999999999', {}],
  [403, 'GET', '/health', { headers: { host: 'rebound.example' } }],
  [403, 'POST', '/write', { headers: { ...json, origin: 'http://elsewhere.example' }, body: JSON.stringify(good) }],
  [404, 'POST', '/write', { headers: json, body: JSON.stringify({ ...good, target: 'printer' }) }],
  [404, 'POST', '/writes', { headers: json, body: JSON.stringify({ writes: [good, { ...good, target: 'printer' }] }) }],
  [404, 'GET', '/nothing', {}],
  [405, 'GET', '/write', {}],
  [413, 'POST', '/write', { headers: json, body: tooMuch }],
  [415, 'POST', '/write', { headers: { 'content-type': 'text/plain' }, body: JSON.stringify(good) }],
];

/** What is asked for besides, and the statuses that are right. */
const READS: Record<string, number[]> = {
  '/levels': [200],
  '/targets': [200],
  '/health': [200],
  '/metrics': [200, 404],
  '/openapi.yaml': [200],
  '/': [200],
};

/** Connections that never come to a whole answer, by what is sent on them; `%` is a write of its own. */
const HALF: { sent: string; ends: boolean }[] = [
  { sent: '', ends: false },
  { sent: 'POST /write HTTP/1.1\r\nHost: localhost\r\n', ends: false },
  { sent: 'POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Le', ends: true },
  { sent: '%', ends: false },
  { sent: '%', ends: true },
  { sent: '%%%', ends: true },
  { sent: 'not HTTP at all\r\n\r\n', ends: false },
];

async function halfOpen({ url, random, ledger, message, newId, rest, count }: Client): Promise<void> {
  const { hostname, port } = new URL(url);
  const { sent, ends } = random.one(HALF);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  const sentIds: string[] = [];
  const whole = sent.replaceAll('%', () => {
    const of = message(READABLE, { most: 1000, timeoutMs: random.one([0, 10_000]) });
    const id = newId();
    sentIds.push(id);
    ledger.expect(id, 'write', [of]);
    const body = JSON.stringify(writeOf(of));
    return `POST /write HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: ${id}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  });
  if (ends) socket.end(whole);
  else socket.write(whole);
  count(`half-open connections${ends ? ', with a FIN' : ''}`);
  await rest(random.below(3000));
  socket.destroy();
  for (const id of sentIds) ledger.gone(id);
}

/** Half a request, and nothing more. */
async function neverEnds({ url, signal, count, checks: { check } }: Client): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  let told = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    told += chunk;
  });
  await once(socket, 'connect');
  const before = performance.now();
  socket.write(
    'POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
  );
  await Promise.race([once(socket, 'close'), once(signal, 'abort')]);
  socket.destroy();
  if (signal.aborted) return;
  const ms = performance.now() - before;
  const isInTime = ms > REQUEST_MS && ms < REQUEST_MS + REQUEST_CHECK_MS + LATE_MS;
  const isTold = told.startsWith('HTTP/1.1 408 ');
  check('a request that never ends is ended after a minute', isTold && isInTime, () => `${ms} ms: ${told}`);
  count('requests that never end');
}

async function doomed({ url, random, ledger, message, newId, rest, count }: Client): Promise<void> {
  const requests = Array.from({ length: 8 }, (_, index): [path: string, id: string, body: object] => {
    const isBurst = index === 0;
    const of = message(isBurst ? OPEN : READABLE, { most: 20_000, timeoutMs: random.one([0, 10_000]) });
    const id = newId();
    ledger.expect(id, isBurst ? 'bursts' : 'write', [of]);
    return isBurst ? ['/bursts', id, burstOf(of, 5000, 1000)] : ['/write', id, writeOf(of)];
  });
  const program = fileURLToPath(new URL('doomed.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, url], { stdio: ['pipe', 'ignore', 'ignore'] });
  const exited = once(child, 'exit');
  child.stdin.end(JSON.stringify(requests));
  await rest(300 + random.below(1500));
  child.kill('SIGKILL');
  await exited;
  for (const [, id] of requests) ledger.gone(id);
  count('client processes killed');
}

async function pageThrough({ ask, random, checks: { check }, ledger, count }: Client): Promise<void> {
  const limit = 1 + random.below(500);
  const answer = await ask('GET', `/events?since=${Math.max(1, ledger.next() - random.below(3000))}&limit=${limit}`);
  // The service may not have written to the file yet what it tells here, nor we have read it.
  const { events, next, oldest } = JSON.parse(answer?.body ?? '{}');
  const first = events[0]?.seq ?? next;
  const goesOn = events.every(({ seq }: { seq: number }, index: number) => seq === first + index);
  check('a page of GET /events has no hole', goesOn && next === first + events.length && first >= oldest);
  for (const event of events) ledger.saw(event.seq, JSON.stringify(event));
  count('GET /events: records', events.length);
}

export const KINDS: Record<string, ClientKind> = {
  'single writes': {
    clients: 10,
    restMs: 120,
    async turn({ message, send, random, faults, checks: { check } }) {
      const of = message(random.below(5) === 0 ? faults : READABLE);
      const answer = await send('write', [of], writeOf(of));
      check('a write that does not wait is answered with 200', answer?.status === 200);
    },
  },
  'writes that wait': {
    clients: 8,
    restMs: 100,
    async turn({ message, send, random, checks: { check } }) {
      const timeoutMs = 1 + random.below(3000);
      const of = message(READABLE, { timeoutMs });
      const before = performance.now();
      const answer = await send('write', [of], writeOf(of));
      const ms = performance.now() - before;
      const detail = (): string => `${ms} ms of ${timeoutMs}: ${answer?.status} ${answer?.body}`;
      check('a write that waits is answered when its time is up', ms < timeoutMs + LATE_MS, detail);
      if (answer?.status !== 200) return;
      const { requested, written, error } = JSON.parse(answer.body) as WriteResult;
      const isWhole = written === requested || (error !== null && !['EAGAIN', 'EINTR'].includes(error.code));
      check('a write waits until it is whole, refused, or its time is up', isWhole || ms >= timeoutMs, detail);
    },
  },
  'writes whose client goes away': {
    clients: 4,
    restMs: 100,
    async turn({ message, send, random }) {
      const of = message(NARROW, { timeoutMs: 20_000 });
      await send('write', [of], writeOf(of), random.below(1500));
    },
  },
  'more than may wait': {
    clients: 1,
    restMs: 6000,
    async turn(client) {
      const all = Array.from({ length: 120 }, (_, index) =>
        createClient(client, client.name, createRandom(client.random.below(2 ** 31) + index), client.signal),
      );
      await Promise.all(
        all.map((each) => {
          const of = each.message(['stuck'], { most: 2000, timeoutMs: 1500 });
          return each.send('write', [of], writeOf(of));
        }),
      );
      for (const each of all) each.close();
    },
  },
  'many at once': {
    clients: 2,
    restMs: 1500,
    async turn({ message, send, random, faults }) {
      const all = Array.from({ length: 1 + random.below(1000) }, () => {
        const timeoutMs = random.below(50) === 0 ? 100 : 0;
        return message(random.below(4) === 0 ? faults : READABLE, { most: 1000, timeoutMs });
      });
      const leaveMs = random.below(4) === 0 ? random.below(300) : undefined;
      await send('writes', all, { writes: all.map(writeOf) }, leaveMs);
    },
  },
  bursts: {
    clients: 2,
    restMs: 2500,
    async turn({ message, send, random, faults, checks: { check } }) {
      const of = message([...OPEN, ...faults], { most: 500 });
      const rate = random.one([undefined, 500, 3000]);
      const leaveMs = random.below(4) === 0 ? random.below(400) : undefined;
      const answer = await send('bursts', [of], burstOf(of, 1 + random.below(3000), rate), leaveMs);
      check('a burst is made, or another one runs', answer === null || [200, 503].includes(answer.status));
    },
  },
  'wrong requests': {
    clients: 2,
    restMs: 200,
    async turn({ ask, random, newId, count, checks: { check } }) {
      const [status, method, path, options] = random.one(WRONG);
      // No message is expected under this id: a record of it would be of nobody's request.
      const headers = { ...options.headers, 'x-request-id': newId() };
      const answer = await ask(method, path, { ...options, headers }).catch((error: NodeJS.ErrnoException) => {
        // Who sends on after the answer may find the connection closed before it has read it.
        if (status !== 413) throw error;
        return { status, body: '' };
      });
      check('what is wrong is refused as it should be', answer?.status === status, () => `${path}: ${answer?.status}`);
      count(`refused with ${status}`);
    },
  },
  reads: {
    clients: 2,
    restMs: 250,
    async turn({ ask, random, count, checks: { check } }) {
      const [path, right] = random.one(Object.entries(READS));
      const answer = await ask('GET', path);
      check('what is asked for is there', right.includes(answer?.status ?? 0), () => `${path}: ${answer?.status}`);
      count(`GET ${path}: ${answer?.status}`);
    },
  },
  'pages of records': { clients: 2, restMs: 400, turn: pageThrough },
  'half-open connections': { clients: 5, restMs: 200, turn: halfOpen },
  'requests that never end': { clients: 1, restMs: 1000, turn: neverEnds },
  'idle connections': {
    clients: 5,
    restMs: 8000,
    async turn({ ask, count }) {
      await ask('GET', '/health');
      count('idle connections used again');
    },
  },
  'killed processes': { clients: 1, restMs: 2500, turn: doomed },
};

/** Runs a table of clients until `signal` aborts, and each has come to the end of its turn. */
export async function runClients(
  world: World,
  kinds: Record<string, ClientKind>,
  seed: number,
  signal: AbortSignal,
): Promise<void> {
  const { check } = world.checks;
  const running = Object.entries(kinds).flatMap(([name, { clients, restMs, turn }], kind) =>
    Array.from({ length: clients }, async (_, index) => {
      const random = createRandom(seed + 1000 * kind + index);
      const client = createClient(world, name, random, signal);
      while (!signal.aborted) {
        const made = await turn(client).then(
          () => null,
          (error: Error) => error,
        );
        check('no client meets an error', made === null, () => `${name}: ${made?.stack}`);
        await client.rest(random.below(restMs));
      }
      client.close();
    }),
  );
  await Promise.all(running);
}

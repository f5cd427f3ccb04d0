// The load: clients of many kinds, side by side. A table says what one turn of each kind does.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { WriteResult } from '../../src/protocol/calls.js';
import { type AskOptions, type Client, createClient, type World } from './client.js';
import { burstOf, createRandom, writeOf } from './messages.js';

/** Targets that take everything at once, and targets that make writers wait. */
const OPEN = ['file', 'fifo-1', 'fifo-2', 'null', 'stdout', 'terminal'];
const NARROW = ['stuck', 'slow', 'terminal'];
const READABLE = [...OPEN, ...NARROW];

export type ClientKind = {
  clients: number;
  /** The longest rest between two turns, in ms. */
  restMs: number;
  /** Runs one turn. */
  turn: (client: Client) => Promise<void>;
};

/** A request must arrive in this time, in ms, and the service checks at this interval: src/server/app.ts. */
const REQUEST_MS = 60_000;
const REQUEST_CHECK_MS = 5000;
/** An answer may be so late on a busy machine, in ms. */
const LATE_MS = 5000;

const json = { 'content-type': 'application/json' };
const good = { level: 'std', msg: 'x', target: 'null' };
const tooMuch = Buffer.alloc((4 << 20) + 1, ' ');

/** Requests that make no call, and the status of their answers. */
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

/** Pages that clients read, and the statuses that are right. */
const READS: Record<string, number[]> = {
  '/levels': [200],
  '/targets': [200],
  '/health': [200],
  '/metrics': [200, 404],
  '/openapi.yaml': [200],
  '/': [200],
};

/** Bytes of connections that close before their answer, and whether FIN follows. `%` is replaced by a write. */
const HALF_OPEN: { bytes: string; ends: boolean }[] = [
  { bytes: '', ends: false },
  { bytes: 'POST /write HTTP/1.1\r\nHost: localhost\r\n', ends: false },
  { bytes: 'POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Le', ends: true },
  { bytes: '%', ends: false },
  { bytes: '%', ends: true },
  { bytes: '%%%', ends: true },
  { bytes: 'not HTTP at all\r\n\r\n', ends: false },
];

async function leaveHalfOpen({ url, random, ledger, message, newId, rest, count }: Client): Promise<void> {
  const { hostname, port } = new URL(url);
  const { bytes, ends } = random.one(HALF_OPEN);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  const ids: string[] = [];
  const whole = bytes.replaceAll('%', () => {
    const mine = message(READABLE, { most: 1000, timeoutMs: random.one([0, 10_000]) });
    const id = newId();
    ids.push(id);
    ledger.expect(id, 'write', [mine]);
    const body = JSON.stringify(writeOf(mine));
    return `POST /write HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: ${id}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  });
  if (ends) socket.end(whole);
  else socket.write(whole);
  count(`half-open connections${ends ? ', with a FIN' : ''}`);
  await rest(random.below(3000));
  socket.destroy();
  for (const id of ids) ledger.markGone(id);
}

/** Sends half a request and nothing more, and checks that the service refuses it in time. */
async function sendHalfARequest({ url, signal, count, checks: { check } }: Client): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    answer += chunk;
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
  const isRefused = answer.startsWith('HTTP/1.1 408 ');
  check('a request that never ends is refused after a minute', isRefused && isInTime, () => `${ms} ms: ${answer}`);
  count('requests that never end');
}

/** Starts a client process with requests under way, and kills it. */
async function killClient({ url, random, ledger, message, newId, rest, count }: Client): Promise<void> {
  const requests = Array.from({ length: 8 }, (_, index): [path: string, id: string, body: object] => {
    const isBurst = index === 0;
    const mine = message(isBurst ? OPEN : READABLE, { most: 20_000, timeoutMs: random.one([0, 10_000]) });
    const id = newId();
    ledger.expect(id, isBurst ? 'bursts' : 'write', [mine]);
    return isBurst ? ['/bursts', id, burstOf(mine, 5000, 1000)] : ['/write', id, writeOf(mine)];
  });
  const program = fileURLToPath(new URL('doomed.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, url], { stdio: ['pipe', 'ignore', 'ignore'] });
  const exited = once(child, 'exit');
  child.stdin.end(JSON.stringify(requests));
  await rest(300 + random.below(1500));
  child.kill('SIGKILL');
  await exited;
  for (const [, id] of requests) ledger.markGone(id);
  count('client processes killed');
}

async function readPage({ ask, random, checks: { check }, ledger, count }: Client): Promise<void> {
  const limit = 1 + random.below(500);
  const answer = await ask('GET', `/events?since=${Math.max(1, ledger.next() - random.below(3000))}&limit=${limit}`);
  // If the ledger has not read these records yet, it compares them when it does.
  const { events, next, oldest } = JSON.parse(answer?.body ?? '{}');
  const first = events[0]?.seq ?? next;
  const hasNoHole = events.every(({ seq }: { seq: number }, index: number) => seq === first + index);
  check('a page of GET /events has no hole', hasNoHole && next === first + events.length && first >= oldest);
  for (const event of events) ledger.compare(event.seq, JSON.stringify(event));
  count('GET /events: records', events.length);
}

export const KINDS: Record<string, ClientKind> = {
  'single writes': {
    clients: 10,
    restMs: 120,
    async turn({ message, send, random, faults, checks: { check } }) {
      const mine = message(random.below(5) === 0 ? faults : READABLE);
      const answer = await send('write', [mine], writeOf(mine));
      check('a write that does not wait is answered with 200', answer?.status === 200);
    },
  },
  'writes that wait': {
    clients: 8,
    restMs: 100,
    async turn({ message, send, random, checks: { check } }) {
      const timeoutMs = 1 + random.below(3000);
      const mine = message(READABLE, { timeoutMs });
      const before = performance.now();
      const answer = await send('write', [mine], writeOf(mine));
      const ms = performance.now() - before;
      const detail = (): string => `${ms} ms of ${timeoutMs}: ${answer?.status} ${answer?.body}`;
      check('a write that waits is answered when its time is over', ms < timeoutMs + LATE_MS, detail);
      if (answer?.status !== 200) return;
      const { requested, written, error } = JSON.parse(answer.body) as WriteResult;
      const isWhole = written === requested || (error !== null && !['EAGAIN', 'EINTR'].includes(error.code));
      check('a write waits until it is whole, is refused, or its time is over', isWhole || ms >= timeoutMs, detail);
    },
  },
  'writes whose client leaves': {
    clients: 4,
    restMs: 100,
    async turn({ message, send, random }) {
      const mine = message(NARROW, { timeoutMs: 20_000 });
      await send('write', [mine], writeOf(mine), random.below(1500));
    },
  },
  'more writes than may wait': {
    clients: 1,
    restMs: 6000,
    async turn(client) {
      const all = Array.from({ length: 120 }, (_, index) =>
        createClient(client, client.name, createRandom(client.random.below(2 ** 31) + index), client.signal),
      );
      await Promise.all(
        all.map((each) => {
          const mine = each.message(['stuck'], { most: 2000, timeoutMs: 1500 });
          return each.send('write', [mine], writeOf(mine));
        }),
      );
      for (const each of all) each.close();
    },
  },
  'lists of writes': {
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
      const mine = message([...OPEN, ...faults], { most: 500 });
      const rate = random.one([undefined, 500, 3000]);
      const leaveMs = random.below(4) === 0 ? random.below(400) : undefined;
      const answer = await send('bursts', [mine], burstOf(mine, 1 + random.below(3000), rate), leaveMs);
      check(
        'a burst is made, or refused because another one runs',
        answer === null || [200, 503].includes(answer.status),
      );
    },
  },
  'wrong requests': {
    clients: 2,
    restMs: 200,
    async turn({ ask, random, newId, count, checks: { check } }) {
      const [status, method, path, options] = random.one(WRONG);
      // The ledger expects no message under this id, so a record of it would fail.
      const headers = { ...options.headers, 'x-request-id': newId() };
      const answer = await ask(method, path, { ...options, headers }).catch((error: NodeJS.ErrnoException) => {
        // A client that still sends after the answer may find the connection closed before it has read the answer.
        if (status !== 413) throw error;
        return { status, body: '' };
      });
      check(
        'a wrong request is refused with the right status',
        answer?.status === status,
        () => `${path}: ${answer?.status}`,
      );
      count(`refused with ${status}`);
    },
  },
  reads: {
    clients: 2,
    restMs: 250,
    async turn({ ask, random, count, checks: { check } }) {
      const [path, right] = random.one(Object.entries(READS));
      const answer = await ask('GET', path);
      check('a page that exists is served', right.includes(answer?.status ?? 0), () => `${path}: ${answer?.status}`);
      count(`GET ${path}: ${answer?.status}`);
    },
  },
  'pages of records': { clients: 2, restMs: 400, turn: readPage },
  'half-open connections': { clients: 5, restMs: 200, turn: leaveHalfOpen },
  'requests that never end': { clients: 1, restMs: 1000, turn: sendHalfARequest },
  'idle connections': {
    clients: 5,
    restMs: 8000,
    async turn({ ask, count }) {
      await ask('GET', '/health');
      count('idle connections used again');
    },
  },
  'killed processes': { clients: 1, restMs: 2500, turn: killClient },
};

/** Runs a table of clients until `signal` aborts and each client has ended its turn. */
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
        const failure = await turn(client).then(
          () => null,
          (error: Error) => error,
        );
        check('no client meets an error', failure === null, () => `${name}: ${failure?.stack}`);
        await client.rest(random.below(restMs));
      }
      client.close();
    }),
  );
  await Promise.all(running);
}

// The service in 256 MiB, as compose.yaml runs it: clients that hold as much memory as they can do not end it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { witnessAvailability } from '../../src/syscalls/index.js';
import { createCgroup } from '../support/cgroup.js';
import { post, type Service, startService } from '../support/service.js';

const MIB = 1 << 20;
const BODY = JSON.stringify({ level: 'raw', target: 'stuck-pipe', msg: 'x'.repeat(4 * MIB - 200), timeoutMs: 30_000 });
/** The time that an attack goes on, in ms: long enough for the memory of its clients to show. */
const ATTACK_MS = 3000;

const head = (line: string, ...fields: string[]): string => [line, 'Host: localhost', ...fields, '', ''].join('\r\n');
const JSON_BODY = ['Content-Type: application/json', `Content-Length: ${BODY.length}`];
const PAGE = head('GET /events?since=1&limit=10000 HTTP/1.1');

/** Requests with small heads and answers, of which Node reads some 2,000 at once. */
const PIPELINED = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: [::]\r\n\r\n`.repeat(4000);
const SMALL_WRITE = JSON.stringify({ level: 'raw', target: 'stuck-pipe', msg: 'x', timeoutMs: 30_000 });
const FIELDS = Array.from({ length: 3200 }, (_, index) => `${index.toString(36)}:`);
const CHUNKED = ['Content-Type: application/json', 'Transfer-Encoding: chunked'];

/** Sends as much of a text as the service takes. */
async function send(socket: Socket, text: string): Promise<void> {
  for (let at = 0; at < text.length && !socket.destroyed; at += MIB)
    if (!socket.write(text.slice(at, at + MIB))) await once(socket, 'drain').catch(() => {});
}

type Attack = { clients: number; run: (socket: Socket) => void };

const ATTACKS: Record<string, Attack> = {
  'bodies of 4 MiB for /login that never end': {
    clients: 400,
    run: (socket) => void send(socket, head('POST /login HTTP/1.1', ...JSON_BODY) + BODY.slice(0, -1)),
  },
  'bodies of 4 MiB that never end': {
    clients: 400,
    run: (socket) => void send(socket, head('POST /write HTTP/1.1', ...JSON_BODY) + BODY.slice(0, -1)),
  },
  'writes of 4 MiB that wait': {
    clients: 60,
    run: (socket) => void send(socket, head('POST /write HTTP/1.1', ...JSON_BODY) + BODY),
  },
  'pages of 10,000 records that nobody reads': {
    clients: 100,
    run: (socket) => void socket.pause().write(PAGE),
  },
  'pages of 10,000 records, many on each connection, that are read slowly': {
    clients: 200,
    run(socket) {
      socket.pause().write(PAGE.repeat(10));
      socket.on('readable', () => setTimeout(() => socket.read(100), 100));
    },
  },
  'pipelined requests whose answers nobody reads': {
    clients: 60,
    run: (socket) => void socket.pause().write(PIPELINED('/metrics')),
  },
  'pipelined requests behind a write that waits': {
    clients: 90,
    run(socket) {
      const write = head('POST /write HTTP/1.1', JSON_BODY[0] as string, `Content-Length: ${SMALL_WRITE.length}`);
      socket.pause().write(write + SMALL_WRITE + PIPELINED('/levels'));
    },
  },
  'pipelined files that nobody reads': {
    clients: 40,
    run: (socket) => void socket.pause().write(PIPELINED('/docs/static/swagger-ui-bundle.js')),
  },
  'thousands of headers that never end': {
    clients: 1200,
    run: (socket) => void socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\n${FIELDS.join('\r\n')}`),
  },
  'thousands of headers and a body that never ends': {
    clients: 1200,
    run: (socket) => void socket.write(head('POST /login HTTP/1.1', ...JSON_BODY, ...FIELDS)),
  },
  'bodies in chunks of one byte': {
    clients: 1200,
    run: (socket) => void socket.write(head('POST /write HTTP/1.1', ...CHUNKED) + '1\r\n \r\n'.repeat(16_000)),
  },
  'bodies of 4 MiB of brackets': {
    clients: 8,
    run(socket) {
      const body = '['.repeat(4 * MIB);
      void send(socket, head('POST /write HTTP/1.1', JSON_BODY[0] as string, `Content-Length: ${body.length}`) + body);
    },
  },
};

async function attack({ url }: Service, { clients, run }: Attack): Promise<void> {
  const { hostname, port } = new URL(url);
  const sockets: Socket[] = [];
  for (let i = 0; i < clients; i++) {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    sockets.push(socket);
    socket.once('connect', () => run(socket));
  }
  await sleep(ATTACK_MS);
  for (const socket of sockets) socket.destroy();
}

for (const [name, row] of Object.entries(ATTACKS)) {
  test(`in 256 MiB the service survives ${row.clients} clients with ${name}`, async (t) => {
    const group = createCgroup(256 * MIB);
    if (!group) return t.skip('needs to make a control group, which is forbidden here');
    const service = await startService(t, { wrap: group.wrap });
    // After the hook that stops the service.
    t.after(group.remove);
    // Fill the ring with the longest records, and what is kept beside it with the longest lists.
    const burst = { level: 'raw', target: 'null', msg: '\u0001'.repeat(64), count: 70_000 };
    const { status } = await post(`${service.url}/bursts`, { ...burst, witness: witnessAvailability().available });
    assert.equal(status, 200);
    await attack(service, row);
    // A busy machine takes its time over what the attack has left. It must survive, not be quick.
    const health = await fetch(`${service.url}/health`, { signal: AbortSignal.timeout(60_000) });
    assert.equal(health.status, 200, service.log.join('\n'));
    t.diagnostic(`at most ${Math.round(group.peak() / MIB)} MiB`);
  });
}

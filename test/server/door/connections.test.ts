// Many connections, most of them rude: descriptors and threads stay as many as they were, and some are left for others.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { openIn } from '../../support/descriptors.js';
import { startService } from '../../support/service.js';

const AT_ONCE = 200;
const HEAD = 'Host: localhost\r\n';

/** What a client does with its connection before it drops it: a reset every other time, as DO has an odd length. */
const CLIENTS: Record<string, (socket: Socket) => unknown> = {
  'comes and goes': () => {},
  'sends half a request': (socket) =>
    new Promise((resolve) => socket.write(`POST /write HTTP/1.1\r\n${HEAD}`, resolve)),
  'sends a request and takes no answer': (socket) =>
    new Promise((resolve) => socket.write(`GET /levels HTTP/1.1\r\n${HEAD}\r\n`, resolve)),
  'asks and is answered': async (socket) => {
    socket.write(`GET /health HTTP/1.1\r\n${HEAD}\r\n`);
    assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200 /);
  },
  subscribes: (socket) => {
    socket.write(
      `GET /events HTTP/1.1\r\n${HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    return once(socket, 'data');
  },
};
const DO = Object.values(CLIENTS);

test('however few descriptors there are, some are left for what is not a connection', async (t) => {
  const service = await startService(t, { wrap: (command) => ['prlimit', '--nofile=400:400', ...command] });
  const { hostname, port } = new URL(service.url);
  // Not by stop(), which asks for its process id, and would be a connection too many.
  t.after(() => service.child.kill());
  const open: Socket[] = [];
  for (let i = 0; i < 500; i++) {
    const socket = connect(Number(port), hostname);
    open.push(socket);
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  }
  // One that was let in before there were too many, and asks for a file.
  const socket = open[100] as Socket;
  socket.write(`GET /style.css HTTP/1.1\r\n${HEAD}\r\n`);
  assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200 /);
  assert.ok(openIn(service.child.pid as number).descriptors < 400);
  const exited = once(service.child, 'exit');
  service.child.kill();
  assert.deepEqual(await exited, [0, null]);
});

test('descriptors and threads after 1,000 connections are those after 100,000', async (t) => {
  const service = await startService(t);
  const { hostname, port } = new URL(service.url);
  const pid = service.child.pid as number;

  let index = 0;
  async function visit(): Promise<void> {
    const at = index++;
    // Several addresses, and every other end a reset: no port is waited for (TIME_WAIT).
    const socket = connect({ host: hostname, port: Number(port), localAddress: `127.0.0.${2 + (at % 16)}` });
    const closed = once(socket, 'close');
    await once(socket, 'connect');
    await Promise.race([DO[at % DO.length]?.(socket), closed]);
    if (at % 2) socket.resetAndDestroy();
    else socket.destroy();
    await closed;
  }
  async function visits(upTo: number): Promise<void> {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (index < upTo) await visit();
      }),
    );
  }
  const rss = (): string => /^VmRSS:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  /** Once it has noticed that all are gone. */
  async function settled(most: number): Promise<ReturnType<typeof openIn>> {
    for (const signal = AbortSignal.timeout(20_000); ; ) {
      await (await fetch(`${service.url}/health`, { signal })).text();
      const open = openIn(pid);
      if (open.descriptors <= most) return open;
    }
  }

  const { descriptors } = await settled(Infinity);
  await visits(1000);
  const few = await settled(descriptors + 2);
  t.diagnostic(`after ${index}: ${few.descriptors} descriptors, ${few.threads} threads, ${rss()}`);
  await visits(100_000);
  const many = await settled(few.descriptors + 2);
  t.diagnostic(`after ${index}: ${many.descriptors} descriptors, ${many.threads} threads, ${rss()}`);
  assert.equal(many.threads, few.threads);
  assert.ok(Math.abs(many.descriptors - few.descriptors) <= 2);
  assert.equal(await service.stop(), 0);
});

// Many connections, most of which break off: the service leaks no descriptor and no thread, and keeps descriptors free.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { openIn } from '../../support/descriptors.js';
import { startService } from '../../support/service.js';

const AT_ONCE = 200;
const HEAD = 'Host: localhost\r\n';

/** Each client does this before it leaves. There is an odd number of them, so each leaves by a reset every other time. */
const CLIENTS: Record<string, (socket: Socket) => unknown> = {
  'does nothing': () => {},
  'sends half a request': (socket) =>
    new Promise((resolve) => socket.write(`POST /write HTTP/1.1\r\n${HEAD}`, resolve)),
  'sends a request and does not read the answer': (socket) =>
    new Promise((resolve) => socket.write(`GET /levels HTTP/1.1\r\n${HEAD}\r\n`, resolve)),
  'reads the answer to its request': async (socket) => {
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
const BEHAVIOURS = Object.values(CLIENTS);

test('a service that may open 400 descriptors refuses connections early enough to open files', async (t) => {
  const service = await startService(t, { wrap: (command) => ['prlimit', '--nofile=400:400', ...command] });
  const { hostname, port } = new URL(service.url);
  // stop() would ask the service for its process id, on one connection too many.
  t.after(() => service.child.kill());
  const open: Socket[] = [];
  for (let i = 0; i < 500; i++) {
    const socket = connect(Number(port), hostname);
    open.push(socket);
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  }
  // The service accepted this connection before the limit; the file takes one more descriptor.
  const socket = open[100] as Socket;
  socket.write(`GET /style.css HTTP/1.1\r\n${HEAD}\r\n`);
  assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200 /);
  assert.ok(openIn(service.child.pid as number).descriptors < 400);
  const exited = once(service.child, 'exit');
  service.child.kill();
  assert.deepEqual(await exited, [0, null]);
});

test('100,000 connections leave no more descriptors and threads behind than 1,000 do', async (t) => {
  const service = await startService(t);
  const { hostname, port } = new URL(service.url);
  const pid = service.child.pid as number;

  let index = 0;
  async function visit(): Promise<void> {
    const at = index++;
    // Several addresses, and a reset at every other end: otherwise all ports would soon be in TIME_WAIT.
    const socket = connect({ host: hostname, port: Number(port), localAddress: `127.0.0.${2 + (at % 16)}` });
    const closed = once(socket, 'close');
    await once(socket, 'connect');
    await Promise.race([BEHAVIOURS[at % BEHAVIOURS.length]?.(socket), closed]);
    if (at % 2) socket.resetAndDestroy();
    else socket.destroy();
    await closed;
  }
  async function visitMany(upTo: number): Promise<void> {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (index < upTo) await visit();
      }),
    );
  }
  const rss = (): string => /^VmRSS:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  /** Waits until the service holds `most` descriptors or fewer: it notices a little later that a client has left. */
  async function waitForAtMost(most: number): Promise<ReturnType<typeof openIn>> {
    for (const signal = AbortSignal.timeout(20_000); ; ) {
      await (await fetch(`${service.url}/health`, { signal })).text();
      const open = openIn(pid);
      if (open.descriptors <= most) return open;
    }
  }

  const { descriptors } = await waitForAtMost(Infinity);
  await visitMany(1000);
  const few = await waitForAtMost(descriptors + 2);
  t.diagnostic(`after ${index}: ${few.descriptors} descriptors, ${few.threads} threads, ${rss()}`);
  await visitMany(100_000);
  const many = await waitForAtMost(few.descriptors + 2);
  t.diagnostic(`after ${index}: ${many.descriptors} descriptors, ${many.threads} threads, ${rss()}`);
  assert.equal(many.threads, few.threads);
  assert.ok(Math.abs(many.descriptors - few.descriptors) <= 2);
  assert.equal(await service.stop(), 0);
});

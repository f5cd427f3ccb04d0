// The stop: the signal comes while calls are under way, and connections that have nothing to wait for are open.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Service } from '../support/service.js';
import { createClient, type World } from './client.js';
import type { Kind } from './ledger.js';
import { burstOf, createRandom, type Message, messageOf, writeOf } from './messages.js';

/** SIGTERM's promise is 5 s; the rest is the machine's. */
const STOP_MS = 8000;
/** What takes so long does not come to an end. */
const HANG_MS = 30_000;

/** Ends the service by SIGTERM, and sees to it that whoever waited was answered with what its records say. */
export async function stopService(world: World, service: Service, seed: number): Promise<void> {
  const { checks, ledger, url } = world;
  const random = createRandom(seed);
  const never = new AbortController().signal;
  const next = ledger.next();

  const subscriber = new WebSocket(`${url.replace('http', 'ws')}/events?since=1`);
  subscriber.on('error', () => {});
  await once(subscriber, 'message');
  subscriber.pause();
  const { hostname, port } = new URL(url);
  const silent = connect(Number(port), hostname);
  silent.on('error', () => {});
  await once(silent, 'connect');

  const send = (kind: Kind, of: Message, body: object) =>
    createClient(world, 'stop', random, never).send(kind, [of], body);
  const waiting = world.levels.map((level) => {
    const of = messageOf(random, level, 'stuck-pipe', { timeoutMs: 60_000 });
    return send('write', { ...of, length: 1 }, writeOf({ ...of, length: 1 }));
  });
  const of = messageOf(random, 'raw', 'file', { most: 100 });
  waiting.push(send('bursts', of, burstOf(of, 30_000, 500)));
  // One of the writes has its turn and waits; and the burst has begun.
  const end = Date.now() + HANG_MS;
  for (; ledger.next() < next + 10 && Date.now() < end; await sleep(20)) await ledger.read();

  const before = performance.now();
  const kill = setTimeout(() => service.child.kill('SIGKILL'), HANG_MS);
  const code = await service.stop();
  clearTimeout(kill);
  const ms = performance.now() - before;
  checks.check('SIGTERM: exit code 0', code === 0, () => `${code}`);
  checks.check('it stops in less than 8 s', ms < STOP_MS, () => `${ms} ms`);
  for (const answer of await Promise.all(waiting.map((one) => one.catch(() => null)))) {
    // Those that had their turn were calls; the others made none.
    const isSo = answer?.status === 200 || answer?.status === 503;
    checks.check('who waits when it stops is answered', isSo, () => `${answer?.status} ${answer?.body}`);
  }
  subscriber.terminate();
  silent.destroy();
}

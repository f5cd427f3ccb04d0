// The stop: SIGTERM comes while calls wait or run, and while idle connections are open.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Service } from '../support/service.js';
import { createClient, type World } from './client.js';
import type { Kind } from './ledger.js';
import { burstOf, createRandom, type Message, messageOf, writeOf } from './messages.js';

/** The service promises to stop within 5 s; the rest allows for a busy machine. */
const STOP_MS = 8000;
/** After so long the stop counts as hung, and the service is killed. */
const HANG_MS = 30_000;

/** Stops the service with SIGTERM, and checks that every waiting request is answered. The ledger checks the answers. */
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

  const send = (kind: Kind, message: Message, body: object) =>
    createClient(world, 'stop', random, never).send(kind, [message], body);
  const waiting = world.levels.map((level) => {
    const message = { ...messageOf(random, level, 'stuck-pipe', { timeoutMs: 60_000 }), length: 1 };
    return send('write', message, writeOf(message));
  });
  const message = messageOf(random, 'raw', 'file', { most: 100 });
  waiting.push(send('bursts', message, burstOf(message, 30_000, 500)));
  // After ten new records one of the writes has its turn and waits, and the burst has begun.
  const end = Date.now() + HANG_MS;
  for (; ledger.next() < next + 10 && Date.now() < end; await sleep(20)) await ledger.read();

  const before = performance.now();
  const kill = setTimeout(() => service.child.kill('SIGKILL'), HANG_MS);
  const code = await service.stop();
  clearTimeout(kill);
  const ms = performance.now() - before;
  checks.check('the service exits with code 0 after SIGTERM', code === 0, () => `${code}`);
  checks.check('the service stops in less than 8 s', ms < STOP_MS, () => `${ms} ms`);
  for (const answer of await Promise.all(waiting.map((one) => one.catch(() => null)))) {
    // 200: the request had its turn and made calls. 503: it made none.
    const isAnswered = answer?.status === 200 || answer?.status === 503;
    checks.check(
      'a request that waits when the service stops is answered',
      isAnswered,
      () => `${answer?.status} ${answer?.body}`,
    );
  }
  subscriber.terminate();
  silent.destroy();
}

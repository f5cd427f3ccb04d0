// Measures the stream during a burst: the rate at which a fast subscriber gets gaps, and the delay of other requests.
// The service runs in this process, the subscriber in another one.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { buildApp } from '../src/server/app.js';

const SECONDS = 3;
const RATES = [20_000, 50_000, 100_000, 150_000, 200_000, 300_000, 400_000, 600_000, Infinity];

const app = buildApp();
const url = await app.listen({ port: 0, host: '127.0.0.1' });
const post = async (body: object) =>
  (await fetch(`${url}/bursts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ level: 'raw', msg: 'Hello world from interrupt!\n', target: 'null', ...body }),
  })) as Response;

type Seen = { delivered: number; lost: number };
const subscriber = fork(new URL('subscriber.ts', import.meta.url), [`${url.replace('http', 'ws')}/events`]);
let seen: Seen = { delivered: 0, lost: 0 };
subscriber.on('message', (message) => {
  seen = message as Seen;
});
while (app.websocketServer.clients.size === 0) await new Promise(setImmediate);
const delay = monitorEventLoopDelay({ resolution: 1 });
const ms = (ns: number): string => `${(ns / 1e6).toFixed(1)} ms`;

/** Send GET /health again and again until `isOver`, and return the slowest answer's time in ms. */
async function slowestHealth(isOver: () => boolean): Promise<number> {
  let slowest = 0;
  while (!isOver()) {
    const before = performance.now();
    await fetch(`${url}/health`);
    slowest = Math.max(slowest, performance.now() - before);
  }
  return slowest;
}

console.log('calls/s asked      made  delivered       lost  loop p50  loop p99  /health at most');
for (const rate of RATES) {
  const before = { ...seen };
  const isLimited = rate !== Infinity;
  delay.reset();
  delay.enable();
  let over = false;
  const health = slowestHealth(() => over);
  const count = isLimited ? rate * SECONDS : 2_000_000;
  const answer = await post({ count, ...(isLimited && { ratePerSecond: rate }) });
  over = true;
  const slowest = await health;
  delay.disable();
  const { callsPerSecond } = (await answer.json()) as { callsPerSecond: number };
  const received = (): number => seen.delivered + seen.lost - before.delivered - before.lost;
  while (received() < count) await once(subscriber, 'message');
  console.log(
    [
      (isLimited ? `${rate}` : 'no limit').padStart(13),
      callsPerSecond.toFixed(0).padStart(9),
      `${seen.delivered - before.delivered}`.padStart(10),
      `${seen.lost - before.lost}`.padStart(10),
      ms(delay.percentile(50)).padStart(9),
      ms(delay.percentile(99)).padStart(9),
      `${slowest.toFixed(1)} ms`.padStart(16),
    ].join(' '),
  );
}
subscriber.disconnect();
await app.close();

// The stream promises that delivered + lost = made. Four readers check it: a fast one, a slow one, one that reads
// nothing until all calls are made, and one that connects again and again.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { BurstResult } from '../../src/protocol/calls.js';
import { post, type Service, startService } from '../support/service.js';
import { type Account, fresh, subscribe } from '../support/watcher.js';

const HISTORY = 65_536;

async function burst({ url }: Service, count: number, ratePerSecond?: number): Promise<BurstResult> {
  const message = { level: 'raw', target: 'null', msg: 'Hello world from interrupt!\n' };
  const answer = await post(`${url}/bursts`, { ...message, count, ratePerSecond });
  assert.equal(answer.status, 200);
  return (await answer.json()) as BurstResult;
}

const nextOf = async ({ url }: Service): Promise<number> =>
  ((await (await fetch(`${url}/health`)).json()) as { next: number }).next;

async function until(socket: WebSocket, isDone: () => boolean): Promise<void> {
  while (!isDone()) await once(socket, 'message', { signal: AbortSignal.timeout(20_000) });
}

const start = (t: TestContext): Promise<Service> => startService(t);

function checkAccount(t: TestContext, reader: string, { delivered, lost, gaps }: Account, made: number): void {
  t.diagnostic(
    `${reader}: ${delivered} delivered + ${lost} lost (in ${gaps} gaps) = ${delivered + lost} of ${made} made`,
  );
  assert.equal(delivered + lost, made, reader);
}

test('a fast reader, a slow one and one that reconnects each account for all of 1,000,000 calls', async (t) => {
  const MADE = 1_000_000;
  const service = await start(t);
  const accounts = { fast: fresh(1), slow: fresh(1), reconnecting: fresh(1) };
  const [fast, slow] = [subscribe(service.url, accounts.fast), subscribe(service.url, accounts.slow)];
  const sockets = [fast, slow];
  t.after(() => {
    for (const socket of sockets) socket.terminate();
  });
  for (const socket of sockets) await once(socket, 'message');

  let over = false;
  // One frame, then a pause: far fewer records than are made.
  const readingSlowly = (async () => {
    while (!over) {
      await once(slow, 'message');
      slow.pause();
      await sleep(20);
      slow.resume();
    }
  })();
  let connections = 0;
  const reconnecting = (async () => {
    const account = accounts.reconnecting;
    while (account.next <= MADE) {
      const socket = subscribe(service.url, account, account.next);
      sockets.push(socket);
      connections += 1;
      const enough = account.next + 50_000;
      await until(socket, () => account.next >= Math.min(enough, MADE + 1));
      socket.terminate();
    }
  })();
  const { callsPerSecond } = await burst(service, MADE);
  await until(fast, () => accounts.fast.next > MADE);
  await reconnecting;
  over = true;
  await until(slow, () => accounts.slow.next > MADE);
  await readingSlowly;
  t.diagnostic(
    `${Math.round(callsPerSecond)} calls a second, ${connections} connections of the reader that reconnects`,
  );
  for (const [reader, account] of Object.entries(accounts)) checkAccount(t, reader, account, MADE);
  assert.ok(accounts.slow.lost > 0, 'the slow reader lost records');
  assert.ok(connections > 5, 'the third reader reconnected');
});

const memoryOf = (pid: number): number =>
  Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

test('a subscriber that reads nothing during 5,000,000 calls costs 60 MB at most, and then accounts for all of them', async (t) => {
  const MADE = 5_000_000;
  const service = await start(t);
  const pid = service.child.pid as number;
  // Fill the ring several times with a subscriber that reads, so that memory has reached its usual size.
  const warm = fresh(1);
  const first = subscribe(service.url, warm);
  await once(first, 'message');
  await burst(service, 4 * HISTORY);
  await until(first, () => warm.next === 4 * HISTORY + 1);
  first.terminate();

  const begin = await nextOf(service);
  const account = fresh(begin);
  const socket = subscribe(service.url, account);
  t.after(() => socket.terminate());
  await once(socket, 'message');
  socket.pause();
  const before = memoryOf(pid);
  let most = before;
  const sampling = setInterval(() => {
    most = Math.max(most, memoryOf(pid));
  }, 50);
  const { callsPerSecond } = await burst(service, MADE);
  clearInterval(sampling);
  most = Math.max(most, memoryOf(pid));
  const grown = ((most - before) / 1e6).toFixed(1);
  t.diagnostic(`${Math.round(callsPerSecond)} calls a second; memory grew by ${grown} MB at most`);
  assert.ok(most - before < 60e6, `${grown} MB`);
  assert.equal(account.delivered + account.lost, 0, 'the subscriber has read nothing so far');
  socket.resume();
  await until(socket, () => account.next === begin + MADE);
  checkAccount(t, 'the subscriber that read nothing', account, MADE);
  assert.ok(account.lost > MADE - 2 * HISTORY, 'most records were lost');
});

test('a local reader sees every record of 1,000,000 calls at 20,000 a second, without a gap', async (t) => {
  const MADE = 1_000_000;
  const service = await start(t);
  const account = fresh(1);
  const socket = subscribe(service.url, account);
  t.after(() => socket.terminate());
  await once(socket, 'message');
  const { callsPerSecond } = await burst(service, MADE, 20_000);
  await until(socket, () => account.next > MADE);
  t.diagnostic(`${callsPerSecond.toFixed(1)} calls a second`);
  assert.ok(Math.abs(callsPerSecond / 20_000 - 1) < 0.02);
  checkAccount(t, 'the reader', account, MADE);
  assert.equal(account.gaps, 0);
});

// Delivered + lost = made: the stream's promise, held against a fast reader, a slow one, one that never reads
// until all is over, and one that comes and goes.
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

async function until(socket: WebSocket, isSo: () => boolean): Promise<void> {
  while (!isSo()) await once(socket, 'message', { signal: AbortSignal.timeout(20_000) });
}

const start = (t: TestContext): Promise<Service> => startService(t, { args: ['--target', 'null=/dev/null'] });

function tell(t: TestContext, who: string, { delivered, lost, gaps }: Account, made: number): void {
  t.diagnostic(`${who}: ${delivered} delivered + ${lost} lost (in ${gaps} gaps) = ${delivered + lost} of ${made} made`);
  assert.equal(delivered + lost, made, who);
}

test('a burst of 1,000,000: a fast reader, a slow one and one that comes and goes each account for all of it', async (t) => {
  const MADE = 1_000_000;
  const service = await start(t);
  const accounts = { fast: fresh(1), slow: fresh(1), 'comes and goes': fresh(1) };
  const [fast, slow] = [subscribe(service.url, accounts.fast), subscribe(service.url, accounts.slow)];
  const sockets = [fast, slow];
  t.after(() => {
    for (const socket of sockets) socket.terminate();
  });
  for (const socket of sockets) await once(socket, 'message');

  let over = false;
  // A frame, then a rest: far less than is made.
  const slowly = (async () => {
    while (!over) {
      await once(slow, 'message');
      slow.pause();
      await sleep(20);
      slow.resume();
    }
  })();
  let connections = 0;
  const coming = (async () => {
    const account = accounts['comes and goes'];
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
  await coming;
  over = true;
  await until(slow, () => accounts.slow.next > MADE);
  await slowly;
  t.diagnostic(`${Math.round(callsPerSecond)} calls a second, ${connections} connections of who comes and goes`);
  for (const [who, account] of Object.entries(accounts)) tell(t, who, account, MADE);
  assert.ok(accounts.slow.lost > 0, 'the slow one was slow');
  assert.ok(connections > 5, 'the other one came and went');
});

const memoryOf = (pid: number): number =>
  Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

test('a client that never reads while 5,000,000 calls happen: 60 MB at most, and then it learns of all of them', async (t) => {
  const MADE = 5_000_000;
  const service = await start(t);
  const pid = service.child.pid as number;
  // Warm: the ring has been round, with somebody reading.
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
  const watching = setInterval(() => {
    most = Math.max(most, memoryOf(pid));
  }, 50);
  const { callsPerSecond } = await burst(service, MADE);
  clearInterval(watching);
  most = Math.max(most, memoryOf(pid));
  const grown = ((most - before) / 1e6).toFixed(1);
  t.diagnostic(`${Math.round(callsPerSecond)} calls a second; memory grew by ${grown} MB at most`);
  assert.ok(most - before < 60e6, `${grown} MB`);
  assert.equal(account.delivered + account.lost, 0, 'it read nothing so far');
  socket.resume();
  await until(socket, () => account.next === begin + MADE);
  tell(t, 'who never read', account, MADE);
  assert.ok(account.lost > MADE - 2 * HISTORY, 'most of it was gone');
});

test('a burst of 1,000,000 at 20,000 a second: a local reader sees every record, no gap', async (t) => {
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
  tell(t, 'reader', account, MADE);
  assert.equal(account.gaps, 0);
});

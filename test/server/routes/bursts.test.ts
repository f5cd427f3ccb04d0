// POST /bursts makes many calls with one message, and reports their figures.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import type { BurstResult } from '../../../src/protocol/calls.js';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import type { Problem } from '../../../src/protocol/problem.js';
import type { CallRecord } from '../../../src/protocol/records.js';
import { levels } from '../../../src/syscalls/index.js';
import { FAULT_NAMES } from '../../../src/syscalls/targets/faults.js';
import { listen, type TestApp, testApp, turn, until } from '../../support/app.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);

const send = (app: TestApp, body: object, id?: string) =>
  app.post({ level: 'raw', msg: 'x\n', target: 'out', ...body }, id ? { 'x-request-id': id } : {}, '/bursts');
const burst = async (app: TestApp, body: object, id?: string) => (await send(app, body, id)).json<BurstResult>();
const recordsOf = async (app: TestApp, query = ''): Promise<CallRecord[]> =>
  (await app.app.inject(`/events?limit=10000${query}`)).json().events;

for (const level of LEVELS) {
  test(`a burst at ${level} makes every call, and its figures are those of the records`, async (t) => {
    const app = testApp(t);
    const { durationNs, histogram, callsPerSecond, ...result } = await burst(app, { level, count: 1000 }, 'mine');
    assert.deepEqual(result, {
      requestId: 'mine',
      level,
      target: 'out',
      requested: 2,
      count: 1000,
      written: 2000,
      errors: {},
      firstSeq: 1,
      lastSeq: 1000,
    });
    assert.equal(String(app.written()), 'x\n'.repeat(1000));
    const records = await recordsOf(app, '&requestId=mine');
    assert.equal(records.length, 1000);
    const sorted = records.map((record) => record.durationNs).sort((a, b) => a - b);
    const mean = sorted.reduce((sum, ns) => sum + ns, 0) / sorted.length;
    assert.deepEqual([durationNs.min, durationNs.max], [sorted[0], sorted[999]]);
    assert.equal(durationNs.mean, Math.round(mean));
    for (const [percent, reported] of [
      [50, durationNs.p50],
      [90, durationNs.p90],
      [99, durationNs.p99],
    ] as const) {
      const exact = sorted[percent * 10 - 1] as number;
      assert.ok(Math.abs(reported - exact) <= exact * 0.001 + 1, `p${percent}: ${reported}, from the records ${exact}`);
    }
    for (const [index, { ns, calls }] of histogram.entries()) {
      const end = histogram[index + 1]?.ns ?? Infinity;
      assert.equal(sorted.filter((took) => took >= ns && took < end).length, calls, `from ${ns} to ${end} ns`);
    }
    const [first, last] = [records[0], records[999]] as [CallRecord, CallRecord];
    const seconds = (last.time + last.durationNs / 1e6 - first.time) / 1000;
    // The records' clock may be set forward or back in between, by up to 3 ms: calls/wall-time.ts.
    assert.ok(Math.abs(1000 / callsPerSecond - seconds) < 0.003, `${callsPerSecond}/s over ${seconds} s`);
  });
}

test('a burst to a fault target counts the errors by code', async (t) => {
  const app = testApp(t);
  const { targets } = (await app.app.inject('/targets')).json();
  for (const { name, expects, available } of targets) {
    if (!FAULT_NAMES.includes(name) || !available) continue;
    for (const level of LEVELS) {
      const { count, written, errors } = await burst(app, { level, target: name, count: 20 });
      assert.deepEqual([name, count, written, errors], [name, 20, 0, { [expects]: 20 }]);
    }
  }
});

/**
 * Makes a burst at a rate. @returns by how much each call was late, in ms
 *
 * A busy machine may be late at any one call, but not at all of the later half. A burst whose errors add up is.
 */
async function latenessOf(app: TestApp, count: number, ratePerSecond: number): Promise<number[]> {
  const result = await burst(app, { count, ratePerSecond, target: 'full' });
  assert.equal(result.count, count);
  const times: number[] = [];
  for (let since = result.firstSeq; since <= result.lastSeq; since = result.firstSeq + times.length)
    times.push(...(await recordsOf(app, `&since=${since}`)).map(({ time }) => time));
  const late = times.map((time, index) => time - (times[0] as number) - (index * 1000) / ratePerSecond);
  // The times are of the wall clock, which may be corrected by 2 ms meanwhile (calls/wall-time.ts).
  assert.ok(Math.min(...late) >= -3, `${Math.min(...late)} ms early`);
  return late;
}

for (const [count, ratePerSecond] of [
  [4, 20],
  [500, 500],
  [20_000, 20_000],
] as const)
  test(`a burst of ${count} calls at ${ratePerSecond} per second makes none early, and makes up for those that are late`, async (t) => {
    const late = await latenessOf(testApp(t), count, ratePerSecond);
    const least = Math.min(...late.slice(count / 2));
    assert.ok(least < 10, `each of the later calls is ${least} ms late, or more`);
  });

test('a burst gives way to other requests, whose calls lie between its own', async (t) => {
  const app = testApp(t);
  let over = false;
  const running = burst(app, { count: 300_000, target: 'full' }).finally(() => {
    over = true;
  });
  let others = 0;
  while (!over) {
    assert.equal((await app.post({ level: 'os', msg: '.', target: 'out' })).statusCode, 200);
    others += 1;
    await turn();
  }
  const { count, firstSeq, lastSeq } = await running;
  assert.equal(count, 300_000);
  assert.ok(others > 10, `${others} writes meanwhile`);
  assert.ok(lastSeq - firstSeq + 1 > count, 'calls of other requests lie between those of the burst');
  assert.equal(app.written().length, others);
});

test('a second burst at the same time is a 503 with Retry-After, and a burst after the first is made', async (t) => {
  const app = testApp(t);
  const first = burst(app, { count: 3000, ratePerSecond: 2000 });
  const second = await send(app, { count: 1 });
  assert.equal(second.statusCode, 503);
  assert.match(second.headers['retry-after'] as string, /^[12]$/);
  assert.equal((await first).count, 3000);
  assert.equal((await burst(app, { count: 1 })).count, 1);
});

test('a burst that is refused does not hold up the next one', async (t) => {
  const app = testApp(t);
  assert.equal((await send(app, { count: 1, target: 'printer' })).statusCode, 404);
  assert.equal((await burst(app, { count: 1 })).count, 1);
});

test('a burst stops when its client leaves, and the next one may run', async (t) => {
  const app = testApp(t);
  const url = await listen(app.app);
  const connected = once(app.app.server, 'connection');
  const leaving = request(`${url}/bursts`, { method: 'POST', headers: { 'content-type': 'application/json' } });
  leaving.on('error', () => {});
  leaving.end(JSON.stringify({ level: 'raw', msg: 'x', target: 'full', count: 10_000_000 }));
  const [socket] = (await connected) as [Socket];
  const next = async (): Promise<number> => (await app.app.inject('/health')).json().next;
  await until(async () => (await next()) >= 1000);
  const closed = once(socket, 'close');
  leaving.destroy();
  await closed;
  // The last time slice of the burst may still run.
  await until(async () => (await send(app, { count: 1, msg: 'after' })).statusCode !== 503);
  const after = await next();
  assert.ok(after < 10_000_000, `${after} calls`);
  assert.equal(String(app.written()), 'after');
  assert.equal(await next(), after, 'the burst makes no more calls');
});

test('a stop ends a burst, and the answer has the calls that were made', async (t) => {
  const app = testApp(t);
  const running = burst(app, { count: 600, ratePerSecond: 10, target: 'full' });
  await until(async () => (await app.app.inject('/health')).json().next >= 2);
  const before = performance.now();
  await app.app.close();
  assert.ok(performance.now() - before < 5500, `${performance.now() - before} ms`);
  const { count, errors } = await running;
  assert.ok(count > 1 && count < 600);
  assert.deepEqual(errors, { ENOSPC: count });
});

const BAD: [name: string, body: object, status: number, pointer: string, says?: RegExp][] = [
  ['no count', {}, 400, '#/count'],
  ['a count of 0', { count: 0 }, 400, '#/count'],
  ['a count of 1.5', { count: 1.5 }, 400, '#/count'],
  ['too many calls', { count: 10_000_001 }, 400, '#/count', /^count must be at most 10,000,000, not 10,000,001$/],
  ['a count as text', { count: '1' }, 400, '#/count'],
  ['a rate of 0', { count: 1, ratePerSecond: 0 }, 400, '#/ratePerSecond', /^ratePerSecond must be above 0, not 0$/],
  ['a negative rate', { count: 1, ratePerSecond: -1 }, 400, '#/ratePerSecond'],
  ['a rate that is too high', { count: 1, ratePerSecond: 10_000_001 }, 400, '#/ratePerSecond'],
  [
    'more calls than fit into 60 s',
    { count: 601, ratePerSecond: 10 },
    400,
    '#/ratePerSecond',
    /would take 61 s.*60 s at most/,
  ],
  ['a timeoutMs', { count: 1, timeoutMs: 10 }, 400, '#/timeoutMs'],
  ['an unknown target', { count: 1, target: 'printer' }, 404, '#/target'],
  ['invalid base64', { count: 1, encoding: 'base64', msg: '?' }, 400, '#/msg'],
];

for (const [name, body, status, pointer, says = /./] of BAD) {
  test(`a burst with ${name} is a ${status}, and makes no call`, async (t) => {
    const app = testApp(t);
    const answer = await send(app, body);
    const { detail, errors } = answer.json<Problem>();
    assert.deepEqual([answer.statusCode, errors?.[0]?.pointer], [status, pointer]);
    assert.match(detail, says);
    assert.equal((await app.app.inject('/health')).json().next, 1);
  });
}

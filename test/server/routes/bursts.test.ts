// POST /bursts: one message, many calls, counted.
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
import { listen, type TestApp, testApp, turn } from '../../support/app.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);

const send = (app: TestApp, body: object, id?: string) =>
  app.post({ level: 'raw', msg: 'x\n', target: 'out', ...body }, id ? { 'x-request-id': id } : {}, '/bursts');
const burst = async (app: TestApp, body: object, id?: string) => (await send(app, body, id)).json<BurstResult>();
const recordsOf = async (app: TestApp, query = ''): Promise<CallRecord[]> =>
  (await app.app.inject(`/events?limit=10000${query}`)).json().events;

for (const level of LEVELS) {
  test(`${level}: so many calls, so many bytes, and the figures are those of the records`, async (t) => {
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
    for (const [percent, told] of [
      [50, durationNs.p50],
      [90, durationNs.p90],
      [99, durationNs.p99],
    ] as const) {
      const exact = sorted[percent * 10 - 1] as number;
      assert.ok(Math.abs(told - exact) <= exact * 0.001 + 1, `p${percent}: ${told}, from the records ${exact}`);
    }
    for (const [index, { ns, calls }] of histogram.entries()) {
      const end = histogram[index + 1]?.ns ?? Infinity;
      assert.equal(sorted.filter((took) => took >= ns && took < end).length, calls, `from ${ns} to ${end} ns`);
    }
    const [first, last] = [records[0], records[999]] as [CallRecord, CallRecord];
    const seconds = (last.time + last.durationNs / 1e6 - first.time) / 1000;
    assert.ok(Math.abs(callsPerSecond * seconds - 1000) < 5, `${callsPerSecond}/s over ${seconds} s`);
  });
}

test('against each fault target it counts the errors by code', async (t) => {
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

/** A machine may stand still when something is due: one of three must be in time. None may be early, which `once` checks. */
async function isInTime(once: () => Promise<boolean>): Promise<boolean> {
  return (await once()) || (await once()) || (await once());
}

test('a rate is kept within 2 % over a second', async (t) => {
  const app = testApp(t);
  for (const ratePerSecond of [500, 20_000]) {
    const rates: number[] = [];
    const isKept = await isInTime(async () => {
      const { count, callsPerSecond } = await burst(app, { count: ratePerSecond, ratePerSecond, target: 'full' });
      assert.equal(count, ratePerSecond);
      assert.ok(callsPerSecond < ratePerSecond * 1.02, `${callsPerSecond} for ${ratePerSecond}`);
      rates.push(callsPerSecond);
      return callsPerSecond > ratePerSecond * 0.98;
    });
    assert.ok(isKept, `${rates} for ${ratePerSecond}`);
  }
});

test('a low rate waits from call to call', async (t) => {
  const app = testApp(t);
  const late: number[] = [];
  const isKept = await isInTime(async () => {
    const { firstSeq } = await burst(app, { count: 4, ratePerSecond: 20 });
    const times = (await recordsOf(app, `&since=${firstSeq}`)).map(({ time }) => time);
    const behind = times.map((time, index) => time - (times[0] as number) - index * 50);
    assert.ok(
      behind.every((ms) => ms >= -1),
      `early: ${behind} ms`,
    );
    late.push(Math.max(...behind));
    return Math.max(...behind) < 40;
  });
  assert.ok(isKept, `${late} ms late`);
});

test('it gives way to other requests, whose calls lie between its own', async (t) => {
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
  assert.ok(lastSeq - firstSeq + 1 > count, 'they are among them');
  assert.equal(app.written().length, others);
});

test('one at a time: a second is a 503 with Retry-After, and a third after it is none', async (t) => {
  const app = testApp(t);
  const first = burst(app, { count: 3000, ratePerSecond: 2000 });
  const second = await send(app, { count: 1 });
  assert.equal(second.statusCode, 503);
  assert.match(second.headers['retry-after'] as string, /^[12]$/);
  assert.equal((await first).count, 3000);
  assert.equal((await burst(app, { count: 1 })).count, 1);
});

test('a burst that is refused leaves the way free', async (t) => {
  const app = testApp(t);
  assert.equal((await send(app, { count: 1, target: 'printer' })).statusCode, 404);
  assert.equal((await burst(app, { count: 1 })).count, 1);
});

test('a burst whose client goes away stops, and the next may run', async (t) => {
  const app = testApp(t);
  const url = await listen(app.app);
  const connected = once(app.app.server, 'connection');
  const leaving = request(`${url}/bursts`, { method: 'POST', headers: { 'content-type': 'application/json' } });
  leaving.on('error', () => {});
  leaving.end(JSON.stringify({ level: 'raw', msg: 'x', target: 'full', count: 10_000_000 }));
  const [socket] = (await connected) as [Socket];
  const next = async (): Promise<number> => (await app.app.inject('/health')).json().next;
  while ((await next()) < 1000) await turn();
  const closed = once(socket, 'close');
  leaving.destroy();
  await closed;
  // Its last slice may still be on its way.
  while ((await send(app, { count: 1, msg: 'after' })).statusCode === 503) await turn();
  const after = await next();
  assert.ok(after < 10_000_000, `${after} calls`);
  assert.equal(String(app.written()), 'after');
  assert.equal(await next(), after, 'no call comes after it');
});

test('a stop ends it, and the answer says how far it came', async (t) => {
  const app = testApp(t);
  const running = burst(app, { count: 600, ratePerSecond: 10, target: 'full' });
  while ((await app.app.inject('/health')).json().next < 2) await turn();
  const before = performance.now();
  await app.app.close();
  assert.ok(performance.now() - before < 5500, `${performance.now() - before} ms`);
  const { count, errors } = await running;
  assert.ok(count > 1 && count < 600);
  assert.deepEqual(errors, { ENOSPC: count });
});

const BAD: [name: string, body: object, status: number, pointer: string, says?: RegExp][] = [
  ['no count', {}, 400, '#/count'],
  ['no call', { count: 0 }, 400, '#/count'],
  ['half a call', { count: 1.5 }, 400, '#/count'],
  ['too many calls', { count: 10_000_001 }, 400, '#/count'],
  ['a count as text', { count: '1' }, 400, '#/count'],
  ['no rate', { count: 1, ratePerSecond: 0 }, 400, '#/ratePerSecond'],
  ['a negative rate', { count: 1, ratePerSecond: -1 }, 400, '#/ratePerSecond'],
  ['a rate too high', { count: 1, ratePerSecond: 10_000_001 }, 400, '#/ratePerSecond'],
  ['a burst too long', { count: 601, ratePerSecond: 10 }, 400, '#/ratePerSecond', /would take 61 s.*60 s at most/],
  ['a wait', { count: 1, timeoutMs: 10 }, 400, '#/timeoutMs'],
  ['a target that is none', { count: 1, target: 'printer' }, 404, '#/target'],
  ['bad base64', { count: 1, encoding: 'base64', msg: '?' }, 400, '#/msg'],
];

for (const [name, body, status, pointer, says = /./] of BAD) {
  test(`${name}: ${status}, and no call`, async (t) => {
    const app = testApp(t);
    const answer = await send(app, body);
    const { detail, errors } = answer.json<Problem>();
    assert.deepEqual([answer.statusCode, errors?.[0]?.pointer], [status, pointer]);
    assert.match(detail, says);
    assert.equal((await app.app.inject('/health')).json().next, 1);
  });
}

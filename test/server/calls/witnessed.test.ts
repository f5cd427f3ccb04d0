// Calls under a witness: the sums of their reports, the bounds of lists, and a witness that goes away.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import type { WriteRequest } from '../../../src/protocol/calls.js';
import { MAX_LISTED } from '../../../src/protocol/witness.js';
import type { Calls, Job } from '../../../src/server/calls/call.js';
import type { Targets } from '../../../src/server/calls/targets.js';
import { createSum, joined, whyNoWitness, writeWitnessed } from '../../../src/server/calls/witnessed.js';
import { createWriter } from '../../../src/server/calls/write.js';
import { createTasks } from '../../../src/server/lifecycle/tasks.js';
import { createCounters } from '../../../src/server/metrics/counters.js';
import { levels, witnessAvailability } from '../../../src/syscalls/index.js';
import { turn } from '../../support/app.js';
import { callOf, reportOf } from '../../support/reports.js';

const { reason } = witnessAvailability();
const here = { skip: reason ?? false };

test('the reports of one write are joined: all calls in their order, and the first verdict that does not agree', () => {
  const first = reportOf(1, { systemCalls: [callOf({ result: 1 })] });
  const second = reportOf(1, { systemCalls: [callOf({ result: 2 })], verdict: 'no', complete: false, dropped: 3 });
  const third = reportOf(1, { systemCalls: [callOf({ result: 3 })], verdict: 'not either', dropped: 4 });
  assert.deepEqual(joined(null, first), first);
  assert.deepEqual([first, second, third].reduce(joined, null), {
    systemCalls: [1, 2, 3].map((result) => callOf({ result })),
    complete: false,
    dropped: 7,
    verdict: 'no',
  });
  assert.equal(joined(null, null), null);
});

test('a joined list has 256 calls at most, and counts the rest as dropped', () => {
  const full = joined(reportOf(200), reportOf(56));
  assert.deepEqual([full?.systemCalls.length, full?.dropped], [MAX_LISTED.write, 0]);
  const over = joined(full, reportOf(1, { dropped: 2 }));
  assert.deepEqual([over?.systemCalls.length, over?.dropped], [MAX_LISTED.write, 3]);
  const later = joined(joined(reportOf(250), reportOf(7)), reportOf(6));
  assert.deepEqual([later?.systemCalls.length, later?.dropped], [256, 7], 'a shorter list may still fit');
});

test('the sum of a burst keeps the wake-ups of libuv apart from writes of the same place and result', () => {
  const sum = createSum();
  const write = callOf({ result: 8 });
  const wakeUp = callOf({ result: 8, origin: { ...write.origin, isLevel: false } });
  sum.add(reportOf(0, { systemCalls: [wakeUp, write] }));
  sum.add(reportOf(0, { systemCalls: [write] }));
  assert.deepEqual(
    sum.fields().systemCalls.map(({ origin, times }) => [origin.isLevel, times]),
    [
      [true, 2],
      [false, 1],
    ],
  );
});

test('the sum of a burst counts calls that are the same, the most frequent first', () => {
  const sum = createSum();
  const elsewhere = callOf({ origin: { ...callOf().origin, address: '0x1', isLevel: false } });
  const [futex, error] = [callOf({ name: 'futex', number: 202 }), callOf({ result: -28 })];
  sum.add(reportOf(2, { systemCalls: [futex, callOf(), elsewhere] }));
  for (let i = 0; i < 2; i++) sum.add(reportOf(0, { systemCalls: [callOf({ preview: 'other' }), error] }));
  const { systemCalls, ...rest } = sum.fields();
  assert.deepEqual(rest, { complete: true, dropped: 0, disagreed: 0, verdict: 'agrees' });
  const { arguments: _, preview: __, ...write } = callOf();
  assert.deepEqual(systemCalls[0], { ...write, times: 3 });
  assert.deepEqual(
    systemCalls.map(({ name, result, origin, times }) => [name, result, origin.isLevel, times]),
    [
      ['write', 5, true, 3],
      ['write', -28, true, 2],
      ['futex', 5, true, 1],
      ['write', 5, false, 1],
    ],
  );
});

test('addresses and offsets in a file are no kinds of their own, and errors are', () => {
  const sum = createSum();
  for (let i = 0; i < 300; i++) {
    const mmap = callOf({ name: 'mmap', number: 9, result: 0x7f00_0000_0000 + 4096 * i });
    const lseek = callOf({ name: 'lseek', number: 8, result: i });
    sum.add(reportOf(0, { systemCalls: [mmap, lseek] }));
  }
  sum.add(reportOf(0, { systemCalls: [callOf({ name: 'lseek', number: 8, result: -29 })] }));
  const { systemCalls, dropped } = sum.fields();
  assert.deepEqual(
    systemCalls.map(({ name, result, times }) => [name, result, times]),
    [
      ['mmap', 0x7f00_0000_0000, 300],
      ['lseek', 0, 300],
      ['lseek', -29, 1],
    ],
  );
  assert.equal(dropped, 0);
});

test('a sum has 200 kinds at most; calls of known kinds count on, others as dropped', () => {
  const sum = createSum();
  for (let i = 0; i < MAX_LISTED.kinds + 5; i++)
    sum.add(reportOf(0, { systemCalls: [callOf({ result: i })], dropped: i === 0 ? 2 : 0, complete: i !== 1 }));
  sum.add(reportOf(0, { systemCalls: [callOf({ result: 0 }), callOf({ result: 1000 })], verdict: 'first' }));
  sum.add(reportOf(0, { verdict: 'second' }));
  const { systemCalls, ...rest } = sum.fields();
  assert.equal(systemCalls.length, 200);
  assert.deepEqual([systemCalls[0]?.result, systemCalls[0]?.times], [0, 2]);
  assert.deepEqual(rest, { complete: false, dropped: 2 + 5 + 1, disagreed: 2, verdict: 'first' });
});

/** Makes a job for descriptor `fd`, with `write` in place of the level's own. */
const jobOf = (fd: number, write: Job['write']): Job => ({
  requestId: 'r',
  level: 'raw',
  levelIndex: 0,
  targetIndex: 0,
  target: 'out',
  write,
  isWitnessed: true,
  fd,
  bytes: Buffer.from('hello'),
  screen: null,
});

test('the duration of a witnessed call is that of the call, without the witness', here, () => {
  const fd = openSync('/dev/null', 'w');
  const job = jobOf(fd, levels.raw.write);
  const before = performance.now();
  const { result, start, end, report } = writeWitnessed(job, job.bytes);
  const after = performance.now();
  closeSync(fd);
  assert.deepEqual([result, report.verdict], [5, 'agrees']);
  assert.ok(before < start && start < end && end < after, `${[before, start, end, after]}`);
});

test(
  'a witness that went away since the request was checked: the call is made once, and the report says why',
  here,
  async () => {
    let calls = 0;
    const job = jobOf(7, (fd, bytes) => {
      calls += 1;
      return fd + bytes.length;
    });
    const handler = (): void => {};
    assert.equal(whyNoWitness(), null);
    process.on('SIGSYS', handler);
    try {
      assert.equal(whyNoWitness(), null, 'the answer holds until the event loop goes on');
      const { result, start, end, report } = writeWitnessed(job, job.bytes);
      assert.deepEqual([result, calls, start <= end], [12, 1, true]);
      assert.deepEqual(report, {
        systemCalls: [],
        complete: false,
        dropped: 0,
        verdict: 'the witness is not available: this process handles SIGSYS itself: remove that handler first',
      });
      await turn();
      assert.match(whyNoWitness() ?? '', /^this process handles SIGSYS itself/);
    } finally {
      process.off('SIGSYS', handler);
    }
    await turn();
    assert.equal(whyNoWitness(), null);
  },
);

test('what a level throws is thrown, and is not taken for a missing witness', here, () => {
  const thrown = new TypeError('fd must be a 32-bit integer');
  let calls = 0;
  const job = jobOf(7, () => {
    calls += 1;
    throw thrown;
  });
  assert.throws(
    () => writeWitnessed(job, job.bytes),
    (error) => error === thrown,
  );
  assert.equal(calls, 1);
});

test('the answer of POST /writes has 100,000 system calls at most: later results have none, and count them', async () => {
  const job = jobOf(7, () => 5);
  let seq = 0;
  const calls: Calls = {
    prepare: () => job,
    make: (_, bytes) => ({
      ...{ seq: ++seq, time: 0, requestId: 'r', level: 0, target: 0, bytes, result: 5, durationNs: 1, end: 0 },
      report: reportOf(250, { dropped: 1 }),
    }),
    end: () => {},
  };
  const targets = { all: [{ name: 'out' }] } as unknown as Targets;
  const writer = createWriter({ calls, tasks: createTasks(), targets, maxWaiting: 1, counters: createCounters(1, 1) });
  const writes: WriteRequest[] = Array.from({ length: 402 }, () => ({
    ...{ level: 'raw', msg: 'hello', target: 'out', encoding: 'utf8', timeoutMs: 0, witness: true },
  }));
  const results = await writer.writeMany(writes, 'r', new AbortController().signal);
  const shown = results.map((result) =>
    'systemCalls' in result ? [result.systemCalls?.length, result.dropped] : null,
  );
  assert.deepEqual(shown, [...Array(400).fill([250, 1]), [0, 251], [0, 251]]);
  assert.deepEqual(new Set(results.map((result) => 'verdict' in result && result.verdict)), new Set(['agrees']));
});

// The examples of explain/ and align/script.ts, as their comments give them.
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { findScript } from '../../../../src/cli/commands/reconcile/align/script.js';
import { createClock } from '../../../../src/cli/commands/reconcile/clock.js';
import { explain } from '../../../../src/cli/commands/reconcile/explain/explain.js';
import type { TracedWrite } from '../../../../src/cli/commands/reconcile/formats/format.js';
import { lookAhead } from '../../../../src/cli/commands/reconcile/look-ahead.js';
import type { RecordedCall } from '../../../../src/cli/commands/reconcile/record-line.js';

const { EINTR } = constants.errno;

const call = (level: string, count: number, result: number, text: string): RecordedCall => ({
  name: 'write',
  seq: 1,
  run: 0,
  requestId: 'a-1',
  isAfterHole: false,
  pid: 12,
  fd: 18,
  level,
  count,
  result,
  time: 0,
  end: 0,
  text,
  witness: null,
  record: null,
});

const write = (count: number, result: number, text?: string): TracedWrite => ({
  name: 'write',
  line: 1,
  time: undefined,
  pid: undefined,
  tid: 12,
  fd: 18,
  count,
  result,
  text,
  isWhole: text !== undefined,
});

/** Gives a record a witness, which saw these writes. */
const witnessed = (record: RecordedCall, calls: TracedWrite[], confirms = true): RecordedCall => ({
  ...record,
  witness: { calls, isWhole: true, confirms, verdict: confirms ? 'agrees' : 'no' },
});

/** Explains a record by writes, the cheapest way first. */
function explainInOrder(record: RecordedCall, writes: TracedWrite[]) {
  const all = [...explain(record, (index) => writes[index])].sort((a, b) => a.cost - b.cost);
  return all.map(({ verdict, differs, used }) => [verdict, differs.join(), used]);
}

test('one write explains a record if it has something in common with it', () => {
  const record = call('raw', 5, 5, 'hello');
  assert.deepEqual(explainInOrder(record, [write(5, 5, 'hello')]), [['matched', '', 1]]);
  assert.deepEqual(explainInOrder(record, [write(5, 3, 'hello')]), [['altered', 'result', 1]]);
  assert.deepEqual(explainInOrder(record, [write(9, 9, 'hello')]), [['altered', 'count,result', 1]]);
  assert.deepEqual(explainInOrder(record, [write(9, 9, 'world')]), []);
});

test('the writes of one fs.writeSync explain its record, with at most one flaw', () => {
  const record = call('std', 10, 10, '0123456789');
  const [first, interrupted, last] = [write(10, 4), write(6, -EINTR), write(6, 6)];
  assert.deepEqual(explainInOrder(record, [first, interrupted, last])[0], ['matched', '', 3]);
  assert.deepEqual(explainInOrder(record, [interrupted, last])[0], ['missing', '', 2]);
  assert.deepEqual(explainInOrder(record, [first, interrupted])[0], ['missing', '', 2]);
  const altered = explainInOrder(record, [write(10, 7), interrupted, last]);
  assert.deepEqual(
    altered.find(([, , used]) => used === 3),
    ['altered', 'result', 3],
  );
});

test('the list of its witness explains a record, with at most one flaw', () => {
  const list = [write(10, 4), write(6, -EINTR), write(6, 6)] as [TracedWrite, TracedWrite, TracedWrite];
  const record = witnessed(call('std', 10, 10, '0123456789'), list);
  const [first, interrupted, last] = list;
  assert.deepEqual(explainInOrder(record, list), [['matched', '', 3]]);
  assert.deepEqual(explainInOrder(record, [first, last]), [['missing', '', 2]]);
  assert.deepEqual(explainInOrder(record, [first, interrupted]), [['missing', '', 2]]);
  // It may be the last write with another result, or another write in its place: the former is cheaper in the end.
  assert.deepEqual(explainInOrder(record, [first, interrupted, write(6, 5)]), [
    ['missing', '', 2],
    ['altered', 'result', 3],
  ]);
  assert.deepEqual(explainInOrder(record, [first, write(6, 5), last]), [['altered', 'result', 3]]);
  assert.deepEqual(explainInOrder(record, [write(10, 4, 'x'), interrupted, last]), [['altered', 'bytes', 3]]);
});

test('writes that the witness saw belong to its record, though they contradict it', () => {
  const record = call('os', 5, 5, 'hello');
  const contradicts = (...calls: TracedWrite[]) => witnessed(record, calls, false);
  const single = write(4, 4, 'hell');
  assert.deepEqual(explainInOrder(record, [single]), []);
  assert.deepEqual(explainInOrder(contradicts(single), [single]), [['altered', 'bytes,count,result', 1]]);
  assert.deepEqual(explainInOrder(contradicts(single), [write(4, 3, 'hell')]), [['altered', 'bytes,count,result', 1]]);
  const bytes = [...'hello'].map((char) => write(1, 1, char));
  assert.deepEqual(explainInOrder(contradicts(...bytes), bytes), [['altered', 'calls', 5]]);
  // The trace agrees with the record, against the witness.
  assert.deepEqual(explainInOrder(contradicts(single), [write(5, 5, 'hello')])[0], ['matched', '', 1]);
});

test('the cheapest script finds one deleted line and one altered line', async () => {
  async function* once<T>(items: T[]): AsyncGenerator<T[]> {
    yield items;
  }
  const records = [call('raw', 2, 2, 'aa'), call('raw', 3, 3, 'bbb'), call('raw', 4, 4, 'cccc')];
  const sides = { calls: lookAhead(once(records)), writes: lookAhead(once([write(2, 2), write(4, 1)])) };
  await Promise.all([sides.calls.fill(10), sides.writes.fill(10)]);
  const { steps, agreed, isWhole } = findScript({ ...sides, clock: createClock() }, false);
  assert.deepEqual(
    steps.map(({ takesCall, used, explanation }) => [takesCall, used, explanation?.verdict]),
    [
      [true, 1, 'matched'],
      [true, 0, undefined],
      [true, 1, 'altered'],
    ],
  );
  assert.deepEqual([agreed, isWhole], [1, true]);
});

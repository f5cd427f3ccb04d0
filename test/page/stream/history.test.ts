// The page's memory of the stream: the rows that match the filter, newest first, and the rates.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHistory, type Entry, type History, RATE_SECONDS, type Row } from '../../../src/page/stream/history.js';

const call = (seq: number, more: object = {}): Entry =>
  ({ type: 'call', seq, time: 1000 * seq, level: 'raw', target: 'out', written: 2, error: null, ...more }) as Entry;
const add = (history: History, ...entries: Entry[]): void => {
  for (const entry of entries) history.add(entry);
};
const seqsOf = (rows: Row[]): unknown[] =>
  rows.map(({ entry }) =>
    entry.type === 'call' ? entry.seq : entry.type === 'gap' ? `${entry.from}-${entry.to}` : entry.run,
  );
const allSeqs = (history: History, until = history.countMatched()): unknown[] =>
  seqsOf(history.readRows(0, history.countKept(until), until));

test('rows are returned newest first, also when only some are asked for', () => {
  const history = createHistory(100);
  add(history, ...[1, 2, 3, 4, 5].map((seq) => call(seq)));
  assert.deepEqual(allSeqs(history), [5, 4, 3, 2, 1]);
  assert.deepEqual(seqsOf(history.readRows(1, 2, 5)), [4, 3]);
  assert.deepEqual(seqsOf(history.readRows(4, 9, 5)), [1]);
  assert.deepEqual(seqsOf(history.readRows(9, 9, 5)), []);
});

test('`until` returns the same rows however many arrive, until they are forgotten', () => {
  const history = createHistory(10);
  add(history, ...[1, 2, 3].map((seq) => call(seq)));
  add(history, ...Array.from({ length: 9 }, (_, index) => call(index + 4)));
  assert.deepEqual(allSeqs(history, 3), [3], 'only ten rows are kept');
  assert.equal(history.countKept(12), 10);
  add(history, ...Array.from({ length: 500 }, (_, index) => call(index + 13)));
  assert.equal(history.countKept(3), 0);
  assert.deepEqual(allSeqs(history, 3), []);
  assert.deepEqual(allSeqs(history).slice(0, 2), [512, 511]);
  assert.equal(history.countMatched(), 512);
});

test('a filter applies to rows that are kept and to rows that arrive; a gap matches every filter', () => {
  const history = createHistory(100);
  const failed = { error: { code: 'ENOSPC', errno: 28, message: '' } };
  add(
    history,
    call(1),
    call(2, { level: 'os' }),
    { type: 'gap', from: 3, to: 7 },
    call(8, { target: 'full', ...failed }),
  );
  history.setFilter({ level: null, target: null, errors: true });
  assert.deepEqual(allSeqs(history), [8, '3-7']);
  history.setFilter({ level: 'os', target: null, errors: false });
  add(history, call(9), call(10, { level: 'os' }));
  assert.deepEqual(allSeqs(history), [10, '3-7', 2]);
  history.setFilter({ level: null, target: 'full', errors: false });
  assert.deepEqual(allSeqs(history), [8, '3-7']);
  assert.deepEqual(history.countRecords(), { received: 5, lost: 5 });
});

test('a row keeps its number under every filter, and two rows with the same content have different numbers', () => {
  const history = createHistory(3);
  const gap: Entry = { type: 'gap', from: 1, to: 4 };
  const numbers = () => history.readRows(0, 9, history.countMatched()).map(({ number }) => number);
  add(history, call(1), gap, call(2, { level: 'os' }), gap);
  assert.deepEqual(numbers(), [3, 2, 1]);
  history.setFilter({ level: 'raw', target: null, errors: false });
  assert.deepEqual(numbers(), [3, 1]);
  add(history, call(3));
  history.setFilter({ level: null, target: null, errors: false });
  assert.deepEqual(numbers(), [4, 3, 2]);
});

const withCalls = (seq: number, calls: number): Entry =>
  call(seq, { systemCalls: Array.from({ length: calls }, () => ({})), complete: true, dropped: 1, verdict: 'agrees' });
/** The system calls of each row, newest first, and the number of those that were dropped. */
const listsOf = (history: History): unknown[] =>
  history
    .readRows(0, 99, history.countMatched())
    .map(({ entry }) => entry.type === 'call' && [entry.seq, entry.systemCalls?.length, entry.dropped]);

test('beyond the limit, the oldest rows lose their system calls, and count them as dropped', () => {
  const history = createHistory(100, 5);
  add(history, withCalls(1, 2), call(2), { type: 'gap', from: 3, to: 4 }, withCalls(5, 3));
  assert.deepEqual(listsOf(history), [[5, 3, 1], false, [2, undefined, undefined], [1, 2, 1]], 'five are not too many');
  add(history, withCalls(6, 1));
  assert.deepEqual(listsOf(history), [[6, 1, 1], [5, 3, 1], false, [2, undefined, undefined], [1, 0, 3]]);
  add(history, withCalls(7, 5));
  assert.deepEqual(
    listsOf(history).slice(0, 3),
    [
      [7, 5, 1],
      [6, 0, 2],
      [5, 0, 4],
    ],
    'as many as needed',
  );
  add(history, withCalls(8, 6));
  assert.deepEqual(
    listsOf(history).slice(0, 2),
    [
      [8, 0, 7],
      [7, 0, 6],
    ],
    'a list that is too long is not kept',
  );
  assert.equal(history.countMatched(), 7, 'the rows stay');
});

test('rows that are forgotten take their system calls with them', () => {
  const history = createHistory(3, 6);
  for (let seq = 1; seq <= 50; seq++) add(history, withCalls(seq, 2));
  assert.deepEqual(listsOf(history), [
    [50, 2, 1],
    [49, 2, 1],
    [48, 2, 1],
  ]);
  add(history, withCalls(51, 2), withCalls(52, 3));
  assert.deepEqual(
    listsOf(history),
    [
      [52, 3, 1],
      [51, 2, 1],
      [50, 0, 3],
    ],
    'the oldest row that is kept',
  );
  add(history, call(53), call(54), call(55), withCalls(56, 6));
  assert.deepEqual(listsOf(history)[0], [56, 6, 1]);
});

test('rates count the calls, bytes and errors of each second for two minutes', () => {
  const history = createHistory(100);
  const failed = { written: 0, error: { code: 'ENOSPC', errno: 28, message: '' } };
  add(history, call(1, { time: 500_100 }), call(2, { time: 500_900 }), call(3, { time: 502_000, ...failed }));
  const { raw } = history.readRates(502_500);
  assert.equal(raw?.length, RATE_SECONDS);
  assert.deepEqual(raw?.slice(-3), [
    { calls: 2, bytes: 4, errors: 0 },
    { calls: 0, bytes: 0, errors: 0 },
    { calls: 1, bytes: 0, errors: 1 },
  ]);
  add(history, call(4, { time: 500_500 }));
  assert.equal(
    history.readRates(502_500).raw?.at(-3)?.calls,
    3,
    'a record earlier than the last one counts, as after the clock was set back',
  );
  assert.deepEqual(history.readRates(502_500 + RATE_SECONDS * 1000).raw?.at(-1), { calls: 0, bytes: 0, errors: 0 });
});

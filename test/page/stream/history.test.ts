// What the page remembers: rows that pass the filter, newest first, and the rates.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHistory, type Entry, type History, RATE_SECONDS, type Row } from '../../../src/page/stream/history.js';

const call = (seq: number, more: object = {}): Entry =>
  ({ type: 'call', seq, time: 1000 * seq, level: 'raw', target: 'out', written: 2, error: null, ...more }) as Entry;
const add = (history: History, ...entries: Entry[]): void => {
  for (const entry of entries) history.add(entry);
};
const seqs = (rows: Row[]): unknown[] =>
  rows.map(({ entry }) =>
    entry.type === 'call' ? entry.seq : entry.type === 'gap' ? `${entry.from}-${entry.to}` : entry.run,
  );
const all = (history: History, until = history.passed()): unknown[] =>
  seqs(history.rows(0, history.size(until), until));

test('rows are newest first, a part of them as well', () => {
  const history = createHistory(100);
  add(history, ...[1, 2, 3, 4, 5].map((seq) => call(seq)));
  assert.deepEqual(all(history), [5, 4, 3, 2, 1]);
  assert.deepEqual(seqs(history.rows(1, 2, 5)), [4, 3]);
  assert.deepEqual(seqs(history.rows(4, 9, 5)), [1]);
  assert.deepEqual(seqs(history.rows(9, 9, 5)), []);
});

test('who holds still sees the same rows, whatever comes, until they are forgotten', () => {
  const history = createHistory(10);
  add(history, ...[1, 2, 3].map((seq) => call(seq)));
  add(history, ...Array.from({ length: 9 }, (_, index) => call(index + 4)));
  assert.deepEqual(all(history, 3), [3], 'the ring keeps ten');
  assert.equal(history.size(12), 10);
  add(history, ...Array.from({ length: 500 }, (_, index) => call(index + 13)));
  assert.equal(history.size(3), 0);
  assert.deepEqual(all(history, 3), []);
  assert.deepEqual(all(history).slice(0, 2), [512, 511]);
  assert.equal(history.passed(), 512);
});

test('filters apply to what was there and to what comes; a gap is always shown', () => {
  const history = createHistory(100);
  const failed = { error: { code: 'ENOSPC', errno: 28, message: '' } };
  add(
    history,
    call(1),
    call(2, { level: 'os' }),
    { type: 'gap', from: 3, to: 7 },
    call(8, { target: 'full', ...failed }),
  );
  history.filter({ level: null, target: null, errors: true });
  assert.deepEqual(all(history), [8, '3-7']);
  history.filter({ level: 'os', target: null, errors: false });
  add(history, call(9), call(10, { level: 'os' }));
  assert.deepEqual(all(history), [10, '3-7', 2]);
  history.filter({ level: null, target: 'full', errors: false });
  assert.deepEqual(all(history), [8, '3-7']);
  assert.deepEqual(history.counts(), { told: 5, lost: 5 });
});

test('a row keeps its number under every filter, and two rows with the same content have different numbers', () => {
  const history = createHistory(3);
  const gap: Entry = { type: 'gap', from: 1, to: 4 };
  const numbers = () => history.rows(0, 9, history.passed()).map(({ number }) => number);
  add(history, call(1), gap, call(2, { level: 'os' }), gap);
  assert.deepEqual(numbers(), [3, 2, 1]);
  history.filter({ level: 'raw', target: null, errors: false });
  assert.deepEqual(numbers(), [3, 1]);
  add(history, call(3));
  history.filter({ level: null, target: null, errors: false });
  assert.deepEqual(numbers(), [4, 3, 2]);
});

test('rates: a second each, calls, bytes and errors, two minutes back', () => {
  const history = createHistory(100);
  const failed = { written: 0, error: { code: 'ENOSPC', errno: 28, message: '' } };
  add(history, call(1, { time: 500_100 }), call(2, { time: 500_900 }), call(3, { time: 502_000, ...failed }));
  const { raw } = history.rates(502_500);
  assert.equal(raw?.length, RATE_SECONDS);
  assert.deepEqual(raw?.slice(-3), [
    { calls: 2, bytes: 4, errors: 0 },
    { calls: 0, bytes: 0, errors: 0 },
    { calls: 1, bytes: 0, errors: 1 },
  ]);
  add(history, call(4, { time: 500_500 }));
  assert.equal(history.rates(502_500).raw?.at(-3)?.calls, 3, 'the clock was set back');
  assert.deepEqual(history.rates(502_500 + RATE_SECONDS * 1000).raw?.at(-1), { calls: 0, bytes: 0, errors: 0 });
});

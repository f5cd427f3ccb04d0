// Time slices of the event loop, among requests that make many calls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timeSlice } from '../../../src/server/calls/time-slice.js';

test('one time slice starts in each turn of the event loop, first come first served', async () => {
  let now = 0;
  let over = false;
  (async () => {
    for (; !over; now++) await new Promise((resolve) => setImmediate(resolve));
  })();
  const had: [name: string, at: number][] = [];
  const task = async (name: string): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await timeSlice();
      had.push([name, now]);
    }
  };
  await Promise.all(['a', 'b', 'c'].map(task));
  over = true;
  assert.equal(had.map(([name]) => name).join(''), 'abcabcabc');
  for (const [index, [, at]] of had.entries()) assert.equal(at, (had[0]?.[1] as number) + index, `${had}`);
});

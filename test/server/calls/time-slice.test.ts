// Requests that make many calls share the event loop in time slices.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timeSlice } from '../../../src/server/calls/time-slice.js';

test('one time slice starts in each turn of the event loop, first come first served', async () => {
  let now = 0;
  let over = false;
  (async () => {
    for (; !over; now++) await new Promise((resolve) => setImmediate(resolve));
  })();
  const slices: [name: string, turn: number][] = [];
  const task = async (name: string): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await timeSlice();
      slices.push([name, now]);
    }
  };
  await Promise.all(['a', 'b', 'c'].map(task));
  over = true;
  assert.equal(slices.map(([name]) => name).join(''), 'abcabcabc');
  for (const [index, [, turn]] of slices.entries()) assert.equal(turn, (slices[0]?.[1] as number) + index, `${slices}`);
});

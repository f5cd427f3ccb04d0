// Requests that outlast a turn of the event loop: one at a time has it, in turns, and all of them can be ended.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLasting } from '../../src/server/lasting.js';
import { turn } from '../app.js';

test('however many want to go on, one does in each turn of the event loop, first come first served', async () => {
  const lasting = createLasting();
  let now = 0;
  let over = false;
  (async () => {
    for (; !over; now++) await turn();
  })();
  const had: [name: string, at: number][] = [];
  const task = async (name: string): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await lasting.turn();
      had.push([name, now]);
    }
  };
  await Promise.all(['a', 'b', 'c'].map(task));
  over = true;
  assert.equal(had.map(([name]) => name).join(''), 'abcabcabc');
  for (const [index, [, at]] of had.entries()) assert.equal(at, (had[0]?.[1] as number) + index, `${had}`);
});

test('stop aborts every task, settled waits for all, and what has ended is forgotten', async () => {
  const lasting = createLasting();
  const aborted: string[] = [];
  const untilStopped = (name: string) => (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        aborted.push(name);
        resolve();
      });
    });
  let leave = (): void => {};
  const gone = lasting.run((stop) => {
    leave = stop;
  }, untilStopped('gone'));
  const rest = ['one', 'two'].map((name) => lasting.run(() => {}, untilStopped(name)));
  leave();
  await gone;
  assert.deepEqual(aborted, ['gone']);
  const settled = lasting.settled();
  lasting.stop();
  await Promise.all([settled, ...rest]);
  assert.deepEqual(aborted, ['gone', 'one', 'two']);
  assert.deepEqual(await lasting.settled(), [], 'nothing runs any more');
});

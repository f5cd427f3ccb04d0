// Requests that outlast a turn of the event loop can be ended.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLasting } from '../../../src/server/lifecycle/tasks.js';

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

// Tasks end early when their client leaves, and when the service stops.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTasks } from '../../../src/server/lifecycle/tasks.js';

test('a client that leaves aborts its task, a stop aborts all tasks, and settled() waits for those that run', async () => {
  const tasks = createTasks();
  const aborted: string[] = [];
  const runUntilAborted = (name: string) => (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        aborted.push(name);
        resolve();
      });
    });
  const client = new AbortController();
  const gone = tasks.run(client.signal, runUntilAborted('gone'));
  const rest = ['one', 'two'].map((name) => tasks.run(null, runUntilAborted(name)));
  client.abort();
  await gone;
  assert.deepEqual(aborted, ['gone']);
  const settled = tasks.settled();
  tasks.abort();
  await Promise.all([settled, ...rest]);
  assert.deepEqual(aborted, ['gone', 'one', 'two']);
  assert.deepEqual(await tasks.settled(), [], 'no task runs any more');
});

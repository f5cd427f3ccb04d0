// The queue of a target: writes take turns, and one that nobody waits for gives its place up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createQueue } from '../../../src/server/calls/queue.js';

test('a write whose client has left already is refused at once, not after the writes ahead of it', async () => {
  const queue = createQueue('out', 2);
  let finish = (): void => {};
  const first = queue.run(
    () => new Promise<void>((resolve) => (finish = resolve)),
    60_000,
    new AbortController().signal,
  );
  const late = queue.run(() => assert.fail('it must not run'), 60_000, AbortSignal.abort());
  await assert.rejects(late, /no call was made/);
  assert.equal(queue.size(), 1);
  finish();
  await first;
  assert.equal(queue.size(), 0);
});

// Whose turn of the event loop it is, among requests that make many calls. There is one loop, so there is one queue.

/**
 * How long calls are made in a row before others have their turn of the event loop, in ms. With the stream's own
 * 2 ms in the same turn, others have theirs every 5 ms.
 */
export const SLICE_MS = 3;

const queue: (() => void)[] = [];

function next(): void {
  queue.shift()?.();
  if (queue.length > 0) setImmediate(next);
}

/**
 * Resolves when the caller may make calls for SLICE_MS. One may in each turn of the event loop, first come first served:
 * many that want to go on hold up everybody else no longer than one.
 */
export function turn(): Promise<void> {
  if (queue.length === 0) setImmediate(next);
  return new Promise((resolve) => queue.push(resolve));
}

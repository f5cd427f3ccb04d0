// Time slices of the event loop, for requests that make many calls. There is one event loop, so there is one queue.

/**
 * How long calls may be made in a row before the event loop goes on, in ms. Together with the stream's 2 ms, which fall
 * into the same turn, other requests are served every 5 ms.
 */
export const CALL_SLICE_MS = 3;

const queue: (() => void)[] = [];

function startNext(): void {
  queue.shift()?.();
  if (queue.length > 0) setImmediate(startNext);
}

/**
 * Resolves when the caller may make calls for CALL_SLICE_MS. One slice starts in each turn of the event loop, first come
 * first served, so that many long requests delay the others no longer than one does.
 */
export function timeSlice(): Promise<void> {
  if (queue.length === 0) setImmediate(startNext);
  return new Promise((resolve) => queue.push(resolve));
}

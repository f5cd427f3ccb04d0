// Time slices of the event loop, for requests that make many calls. The process has one event loop, so there is one
// queue, even for several services.

/**
 * The longest time for which a request may make calls before the event loop goes on, in ms. The stream adds up to 2 ms
 * in the same turn (STREAM_SLICE_MS), so other requests are served every 5 ms.
 */
export const CALL_SLICE_MS = 3;

const queue: (() => void)[] = [];

function startNext(): void {
  queue.shift()?.();
  if (queue.length > 0) setImmediate(startNext);
}

/**
 * Resolves when the caller may make calls for CALL_SLICE_MS. One slice starts in each turn of the event loop, in the
 * order of the requests, so that many long requests delay other requests no longer than one does.
 */
export function timeSlice(): Promise<void> {
  if (queue.length === 0) setImmediate(startNext);
  return new Promise((resolve) => queue.push(resolve));
}

// Requests that outlast a turn of the event loop, and how they end early: when their client has gone, or
// when the service stops.

/**
 * How long calls are made in a row before others have their turn of the event loop, in ms. With the stream's own
 * 2 ms in the same turn, others have theirs every 5 ms.
 */
export const SLICE_MS = 3;

/** Takes what ends a request, to be called when nobody is there for the answer any more. */
export type WhenGone = (stop: () => void) => void;

export type Lasting = {
  /**
   * Resolves when it is the caller's turn to make calls for SLICE_MS. One has it in each turn of the event loop, first
   * come first served: many that want to go on hold up everybody else no longer than one.
   */
  turn: () => Promise<void>;
  /** Runs a task, whose signal aborts when it shall come to its end. */
  run: <T>(whenGone: WhenGone, task: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** Aborts every task. */
  stop: () => void;
  /** Resolves once none runs. */
  settled: () => Promise<unknown>;
};

export function createLasting(): Lasting {
  const running = new Map<Promise<unknown>, AbortController>();
  const queue: (() => void)[] = [];

  function next(): void {
    queue.shift()?.();
    if (queue.length > 0) setImmediate(next);
  }

  return {
    turn() {
      if (queue.length === 0) setImmediate(next);
      return new Promise((resolve) => queue.push(resolve));
    },
    run(whenGone, task) {
      const controller = new AbortController();
      whenGone(() => controller.abort());
      const result = task(controller.signal);
      running.set(result, controller);
      const forget = (): boolean => running.delete(result);
      result.then(forget, forget);
      return result;
    },
    stop() {
      for (const controller of running.values()) controller.abort();
    },
    settled: () => Promise.allSettled(running.keys()),
  };
}

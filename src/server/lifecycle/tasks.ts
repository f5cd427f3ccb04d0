// Requests that outlast a turn of the event loop, and how they end early: when their client has gone, or
// when the service stops.

/** Takes what ends a request, to be called when nobody is there for the answer any more. */
export type WhenGone = (stop: () => void) => void;

export type Lasting = {
  /** Runs a task, whose signal aborts when it shall come to its end. */
  run: <T>(whenGone: WhenGone, task: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** Aborts every task. */
  stop: () => void;
  /** Resolves once none runs. */
  settled: () => Promise<unknown>;
};

export function createLasting(): Lasting {
  const running = new Map<Promise<unknown>, AbortController>();
  let stopped = false;
  return {
    run(whenGone, task) {
      const controller = new AbortController();
      whenGone(() => controller.abort());
      if (stopped) controller.abort();
      const result = task(controller.signal);
      running.set(result, controller);
      const forget = (): boolean => running.delete(result);
      result.then(forget, forget);
      return result;
    },
    stop() {
      stopped = true;
      for (const controller of running.values()) controller.abort();
    },
    settled: () => Promise.allSettled(running.keys()),
  };
}

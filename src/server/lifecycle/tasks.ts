// Tasks: requests that take longer than one turn of the event loop. A task ends early when its client leaves, or when
// the service stops.

export type Tasks = {
  /**
   * Runs a task. Its signal aborts when `clientGone` aborts or the service stops.
   *
   * @param clientGone null: the task goes on when its client leaves
   */
  run: <T>(clientGone: AbortSignal | null, task: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** Aborts every running task, and every task that begins later. */
  abort: () => void;
  /** Resolves when the tasks that run now have ended. */
  settled: () => Promise<unknown>;
};

export function createTasks(): Tasks {
  const running = new Map<Promise<unknown>, AbortController>();
  let isAborted = false;
  return {
    run(clientGone, task) {
      const controller = new AbortController();
      const abort = (): void => controller.abort();
      if (isAborted || clientGone?.aborted) abort();
      clientGone?.addEventListener('abort', abort);
      const result = task(controller.signal);
      running.set(result, controller);
      const forget = (): void => {
        running.delete(result);
        clientGone?.removeEventListener('abort', abort);
      };
      result.then(forget, forget);
      return result;
    },
    abort() {
      isAborted = true;
      for (const controller of running.values()) controller.abort();
    },
    settled: () => Promise.allSettled(running.keys()),
  };
}

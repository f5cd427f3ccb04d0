// Tasks: requests that outlast one turn of the event loop. Each ends early when its client leaves, or when the service
// stops.

export type Tasks = {
  /**
   * Runs a task. Its signal aborts when `clientGone` does, or when the service stops.
   *
   * @param clientGone null: the task goes on without its client
   */
  run: <T>(clientGone: AbortSignal | null, task: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** Aborts every task that runs, and each that is begun later. */
  abort: () => void;
  /** Resolves once no task runs of those that run now. */
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

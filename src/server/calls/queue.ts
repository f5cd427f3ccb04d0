// The queue of a target: writes that may wait for room run one after the other, so that their bytes never mix.
import { busy, tooLate } from '../refusal.js';

export type Queue = {
  /** How many writes run or wait. */
  size: () => number;
  /**
   * Runs a task once those ahead of it are done.
   *
   * @throws a refusal when the queue is full, when the tasks ahead take longer than `timeoutMs`, or when `signal` aborts
   *   before the task begins
   */
  run: <T>(task: () => Promise<T>, timeoutMs: number, signal: AbortSignal) => Promise<T>;
};

/** Whether `promise` resolves within `ms`, and before `signal` aborts. */
function resolvesInTime(promise: Promise<void>, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (inTime: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      resolve(inTime);
    };
    const giveUp = (): void => finish(false);
    const timer = setTimeout(finish, ms, false);
    signal.addEventListener('abort', giveUp, { once: true });
    promise.then(() => finish(true));
  });
}

/** @param capacity how many writes may run or wait at once */
export function createQueue(capacity: number): Queue {
  let size = 0;
  /** Resolves when the last of them is done. */
  let last = Promise.resolve();

  return {
    size: () => size,

    async run(task, timeoutMs, signal) {
      if (size >= capacity)
        throw busy(
          `${capacity} writes wait for this target, as many as may: try again later, or start with a larger --max-waiting`,
          'waiting',
        );
      const ahead = size === 0 ? null : last;
      let done = (): void => {};
      last = new Promise<void>((resolve) => {
        done = resolve;
      });
      size += 1;
      try {
        const isFirst = ahead === null || (await resolvesInTime(ahead, timeoutMs, signal));
        if (signal.aborted) throw tooLate('the service is stopping');
        if (!isFirst) throw tooLate('the writes ahead of this one took longer than its timeoutMs');
        return await task();
      } finally {
        size -= 1;
        // A task that gave up early still keeps those behind it waiting for those ahead of it.
        if (ahead) ahead.then(done);
        else done();
      }
    },
  };
}

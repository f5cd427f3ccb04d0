// The queue of a target. Writes that may wait for room run one after the other, so that their bytes never mix.
import { busy, tooLate } from '../refusal.js';

export type Queue = {
  /** Returns the number of writes that run or wait. */
  size: () => number;
  /**
   * Runs a task when the tasks ahead of it have ended.
   *
   * @throws a refusal when the queue is full, when the tasks ahead take longer than `timeoutMs`, or when `signal`
   *   aborts before the task begins
   */
  run: <T>(task: () => Promise<T>, timeoutMs: number, signal: AbortSignal) => Promise<T>;
};

/** Resolves to true if `promise` resolves within `ms` and before `signal` aborts, else to false. */
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
    if (signal.aborted) giveUp();
    promise.then(() => finish(true));
  });
}

/**
 * @param target the target's name, for messages
 * @param capacity the most writes that may run or wait at once
 */
export function createQueue(target: string, capacity: number): Queue {
  let size = 0;
  /** Resolves when the last task of the queue has ended. */
  let last = Promise.resolve();

  return {
    size: () => size,

    async run(task, timeoutMs, signal) {
      if (size >= capacity)
        throw busy(
          `target '${target}' has reached the limit of ${capacity} waiting writes: try again later, or start with a larger --max-waiting`,
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
        if (!isFirst)
          throw tooLate(
            `the writes ahead of this one took longer than its timeoutMs of ${timeoutMs}`,
            'try again later, or with a larger timeoutMs',
          );
        return await task();
      } finally {
        size -= 1;
        // If this task gave up before its turn, the tasks behind it still wait for the tasks ahead of it.
        if (ahead) ahead.then(done);
        else done();
      }
    },
  };
}

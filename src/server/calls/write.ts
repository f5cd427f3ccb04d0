// One write or many → calls → results, waiting for room where a request allows it. Knows no transport.
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { WriteRequest, WriteResult } from '../../protocol/calls.js';
import type { Problem } from '../../protocol/problem.js';
import { minusErrno, osError } from '../../syscalls/bindings/errno.js';
import type { Target } from '../../syscalls/targets/target.js';
import { waitForRoom } from '../../syscalls/targets/wait.js';
import { busy, problem, type Refusal, refusal } from '../answers/problem.js';
import type { Lasting, WhenGone } from '../lifecycle/tasks.js';
import type { Counts } from '../metrics/counters.js';
import { type Caller, type Job, told, tooLate } from './call.js';
import { SLICE_MS, turn } from './time-slice.js';

/** No room, and a signal in between: what a wait goes on after. */
const NO_ROOM = minusErrno('EAGAIN');
const INTERRUPTED = minusErrno('EINTR');

export type Writer = {
  /**
   * Makes the calls of one request.
   *
   * @param whenGone asked only of a request that may wait
   * @throws a refusal (problem.ts) when no call was made
   */
  write: (request: WriteRequest, requestId: string, whenGone: WhenGone) => WriteResult | Promise<WriteResult>;
  /**
   * Makes the calls of many, one after the other.
   *
   * @returns what came of each; a problem for one whose turn did not come, or that was not made any more
   * @throws a refusal when no call was made for any of them
   */
  writes: (
    requests: readonly WriteRequest[],
    requestId: string,
    whenGone: WhenGone,
  ) => Promise<(WriteResult | Problem)[]>;
  /** How many requests with a timeoutMs each target has. */
  waiting: () => number[];
};

export type WriterOptions = {
  caller: Caller;
  lasting: Lasting;
  targets: readonly Target[];
  /** How many requests may wait for one target. */
  maxWaiting: number;
  counts: Counts;
};

export function createWriter({ caller, lasting, targets, maxWaiting, counts }: WriterOptions): Writer {
  const { prepare, call } = caller;
  /** Per target: how many requests wait, and what the last of them resolves when it is done. */
  const queues = targets.map(() => ({ waiting: 0, last: Promise.resolve() }));

  async function untilWritten(job: Job, deadline: number, signal: AbortSignal): Promise<void> {
    for (let ready = false; ; ) {
      call(job, job.bytes.subarray(job.written));
      if (job.written === job.bytes.length) return;
      if (job.result < 0 && job.result !== NO_ROOM && job.result !== INTERRUPTED) return;
      if (signal.aborted) return;
      // After a partial write the next call says at once whether there is more room, so that time is
      // only ever up after the kernel said so. In between, others have their turn of the event loop.
      if (job.result <= 0 && performance.now() >= deadline) return;
      if (job.result !== NO_ROOM) {
        await (job.result > 0 ? setImmediate() : sleep(1));
        if (signal.aborted) return;
        continue;
      }
      // Ready, and yet no room: somebody else was quicker, or the pipe has less than one page left.
      if (ready) await sleep(10, undefined, { signal }).catch(() => {});
      ready = await waitForRoom(job.fd, deadline, signal);
      if (!ready) return;
    }
  }

  /** First come, first served: the bytes of requests that wait for one target never mix. */
  async function inTurn(job: Job, timeoutMs: number, signal: AbortSignal): Promise<WriteResult> {
    const deadline = performance.now() + timeoutMs;
    const queue = queues[job.target] as (typeof queues)[number];
    if (queue.waiting >= maxWaiting)
      throw busy(
        `${maxWaiting} writes wait for this target, as many as may: try again later, or start with a larger --max-waiting`,
        'waiting',
      );
    const ahead = queue.waiting === 0 ? null : queue.last;
    let done = (): void => {};
    const mine = new Promise<void>((resolve) => {
      done = resolve;
    });
    queue.last = mine;
    queue.waiting += 1;
    try {
      const inTime = ahead === null || (await before(ahead, timeoutMs, signal));
      if (signal.aborted) throw tooLate('the service is stopping');
      if (!inTime) throw tooLate('the writes ahead of this one took longer than its timeoutMs');
      await untilWritten(job, deadline, signal);
      return resultOf(job);
    } finally {
      queue.waiting -= 1;
      // Who gave up early still keeps those behind it waiting for those ahead of it.
      if (ahead) ahead.then(done);
      else done();
    }
  }

  function atOnce(job: Job): WriteResult {
    call(job, job.bytes);
    return resultOf(job);
  }

  /** A refusal as one result among others. */
  async function orProblem(made: Promise<WriteResult>): Promise<WriteResult | Problem> {
    try {
      return await made;
    } catch (error) {
      const { statusCode, message, errors, limit } = error as Refusal;
      if (statusCode === undefined) throw error;
      if (limit) counts.limit(limit);
      return problem(statusCode, message, undefined, errors);
    }
  }

  return {
    waiting: () => queues.map(({ waiting }) => waiting),

    write(request, requestId, whenGone) {
      const job = prepare(request, requestId);
      if (request.timeoutMs === 0) return atOnce(job);
      return lasting.run(whenGone, (signal) => inTurn(job, request.timeoutMs, signal));
    },

    async writes(requests, requestId, whenGone) {
      // All of them before the first call: what cannot be done makes none.
      const jobs = requests.map((request, index) => prepare(request, requestId, `#/writes/${index}`));
      return lasting.run(whenGone, async (signal) => {
        const results: (WriteResult | Problem)[] = [];
        let slice = -Infinity;
        for (const [index, job] of jobs.entries()) {
          if (performance.now() - slice >= SLICE_MS) {
            await turn();
            slice = performance.now();
          }
          const { timeoutMs } = requests[index] as WriteRequest;
          if (signal.aborted) results.push(problem(503, 'the service is stopping: no call was made'));
          else if (timeoutMs > 0) results.push(await orProblem(inTurn(job, timeoutMs, signal)));
          else results.push(atOnce(job));
        }
        const [first] = results;
        if (first && 'status' in first && results.every((result) => 'status' in result))
          throw refusal(first.status, first.detail, undefined, { 'retry-after': '1' });
        return results;
      });
    },
  };
}

function resultOf(job: Job): WriteResult {
  return {
    ...told(job),
    error: osError(job.result),
    calls: job.calls,
    seq: job.seq,
    durationNs: job.durationNs,
  };
}

/** Whether `promise` resolves within `ms`, and before `signal` aborts. */
function before(promise: Promise<void>, ms: number, signal: AbortSignal): Promise<boolean> {
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

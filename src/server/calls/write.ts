// Carries out POST /write and /writes. A write makes one call; with `timeoutMs`, it makes as many as its bytes need.
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { WriteRequest, WriteResult } from '../../protocol/calls.js';
import type { WitnessReport } from '../../protocol/system-call.js';
import { MAX_LISTED } from '../../protocol/witness.js';
import { minusErrno, outcomeOf } from '../../syscalls/bindings/errno.js';
import { waitForRoom } from '../../syscalls/targets/wait-for-room.js';
import type { Tasks } from '../lifecycle/tasks.js';
import type { Counters } from '../metrics/counters.js';
import type { MadeCall } from '../records/journal.js';
import { busy, isRefusal, type Refusal, tooLate } from '../refusal.js';
import type { Calls, Job } from './call.js';
import { createQueue, type Queue } from './queue.js';
import type { Targets } from './targets.js';
import { CALL_SLICE_MS, timeSlice } from './time-slice.js';
import { joined } from './witnessed.js';

/** A write that may wait goes on after these two: no room, and interrupted by a signal. */
const EAGAIN = minusErrno('EAGAIN');
const EINTR = minusErrno('EINTR');

export type Writer = {
  /**
   * Makes the one call of a write that does not wait.
   *
   * @throws a refusal when no call was made; the other two functions do the same
   */
  writeOnce: (request: WriteRequest, requestId: string) => WriteResult;
  /** Makes calls until every byte is written, an error other than EAGAIN or EINTR occurs, or `timeoutMs` is over. */
  writeAll: (request: WriteRequest, requestId: string, clientGone: AbortSignal) => Promise<WriteResult>;
  /**
   * Makes many writes, one after the other. All of them are checked before the first call.
   *
   * @returns for each write its result, or a refusal if it made no call
   */
  writeMany: (
    requests: readonly WriteRequest[],
    requestId: string,
    clientGone: AbortSignal,
  ) => Promise<(WriteResult | Refusal)[]>;
  /** Returns the number of writes that run or wait in the queue of each target. */
  waiting: () => number[];
};

export type WriterOptions = {
  calls: Calls;
  tasks: Tasks;
  targets: Targets;
  /** The most writes that may run or wait in the queue of one target. */
  maxWaiting: number;
  counters: Counters;
  /** Called when the calls of a request are made, before its answer. */
  onCalled?: (() => void) | undefined;
};

/**
 * @param last the last of the write's calls; `calls`, `written` and `durationNs` are totals of all of them
 * @param error the error of the last call
 * @param report what a witness saw of all of them
 */
function resultOf(
  job: Job,
  last: MadeCall,
  error: WriteResult['error'],
  calls: number,
  written: number,
  durationNs: number,
  report: WitnessReport | null,
): WriteResult {
  const result = {
    requestId: job.requestId,
    level: job.level,
    target: job.target,
    requested: job.bytes.length,
    written,
    error,
    calls,
    seq: last.seq,
    durationNs,
  };
  // A literal with a spread in it takes several times as long, so it is only for writes that need it.
  return report === null ? result : { ...result, ...report };
}

export function createWriter({ calls, tasks, targets, maxWaiting, counters, onCalled }: WriterOptions): Writer {
  const queues = targets.all.map(({ name }) => createQueue(name, maxWaiting));

  function once(job: Job): WriteResult {
    const call = calls.make(job, job.bytes);
    const { written, error } = outcomeOf(call.result, call.bytes.length);
    return resultOf(job, call, error, 1, written, call.durationNs, call.report);
  }

  /** Makes the calls of a write that may wait for room until `deadline`, on performance.now()'s clock. */
  async function untilWritten(job: Job, deadline: number, signal: AbortSignal): Promise<WriteResult> {
    let made = 0;
    let written = 0;
    let durationNs = 0;
    let report: WitnessReport | null = null;
    for (let isReady = false, isLate = false; ; ) {
      const call = calls.make(job, job.bytes.subarray(written));
      const { result } = call;
      const outcome = outcomeOf(result, call.bytes.length);
      made += 1;
      written += outcome.written;
      durationNs += call.durationNs;
      report = joined(report, call.report);
      const resultSoFar = (): WriteResult => resultOf(job, call, outcome.error, made, written, durationNs, report);

      if (written === job.bytes.length) return resultSoFar();
      if (outcome.error && result !== EAGAIN && result !== EINTR) return resultSoFar();
      if (signal.aborted) return resultSoFar();
      // After a partial write the next call shows whether there is more room. One such call may come after the deadline,
      // so that the result says why the rest was not written.
      const wasLate = isLate;
      isLate = performance.now() >= deadline;
      if (isLate && (result <= 0 || wasLate)) return resultSoFar();
      if (result !== EAGAIN) {
        await (result > 0 ? setImmediate() : sleep(1));
        if (signal.aborted) return resultSoFar();
        continue;
      }
      // poll reported room, and yet the write found none: another writer was faster, or the pipe has less than one page
      // left. Wait, so that the loop does not spin.
      if (isReady) await sleep(10, undefined, { signal }).catch(() => {});
      isReady = await waitForRoom(job.fd, deadline, signal);
      if (!isReady) return resultSoFar();
    }
  }

  function inQueue(job: Job, timeoutMs: number, signal: AbortSignal): Promise<WriteResult> {
    const deadline = performance.now() + timeoutMs;
    const queue = queues[job.targetIndex] as Queue;
    return queue.run(() => untilWritten(job, deadline, signal), timeoutMs, signal);
  }

  /** Turns a thrown refusal into a result, so that the other writes go on. */
  async function orRefusal(made: Promise<WriteResult>): Promise<WriteResult | Refusal> {
    try {
      return await made;
    } catch (error) {
      if (!isRefusal(error as Error)) throw error;
      const { limit } = error as Refusal;
      if (limit) counters.limit(limit);
      return error as Refusal;
    }
  }

  /** Prepares all writes before the first call, in slices. @throws a refusal */
  async function prepareAll(requests: readonly WriteRequest[], requestId: string): Promise<Job[]> {
    const jobs: Job[] = [];
    let sliceStart = -Infinity;
    for (const [index, request] of requests.entries()) {
      if (performance.now() - sliceStart >= CALL_SLICE_MS) {
        await timeSlice();
        sliceStart = performance.now();
      }
      jobs.push(calls.prepare(request, requestId, `#/writes/${index}`));
    }
    return jobs;
  }

  async function inOrder(
    jobs: readonly Job[],
    requests: readonly WriteRequest[],
    signal: AbortSignal,
  ): Promise<(WriteResult | Refusal)[]> {
    const results: (WriteResult | Refusal)[] = [];
    let sliceStart = -Infinity;
    let listed = 0;
    /** Leaves out the system calls of a result when the answer has many already: their records have them. */
    const bounded = (result: WriteResult | Refusal): WriteResult | Refusal => {
      if (isRefusal(result) || !result.systemCalls) return result;
      const { length } = result.systemCalls;
      listed += length;
      if (listed <= MAX_LISTED.writes) return result;
      return { ...result, systemCalls: [], dropped: (result.dropped ?? 0) + length };
    };
    for (const [index, job] of jobs.entries()) {
      if (performance.now() - sliceStart >= CALL_SLICE_MS) {
        await timeSlice();
        sliceStart = performance.now();
      }
      const { timeoutMs } = requests[index] as WriteRequest;
      if (signal.aborted) results.push(tooLate('the service is stopping'));
      else if (timeoutMs > 0) results.push(bounded(await orRefusal(inQueue(job, timeoutMs, signal))));
      else results.push(bounded(once(job)));
    }
    return results;
  }

  return {
    waiting: () => queues.map((queue) => queue.size()),

    writeOnce(request, requestId) {
      const result = once(calls.prepare(request, requestId));
      onCalled?.();
      return result;
    },

    async writeAll(request, requestId, clientGone) {
      const job = calls.prepare(request, requestId);
      const result = await tasks.run(clientGone, (signal) => inQueue(job, request.timeoutMs, signal));
      onCalled?.();
      return result;
    },

    async writeMany(requests, requestId, clientGone) {
      const jobs = await prepareAll(requests, requestId);
      const results = await tasks.run(clientGone, (signal) => inOrder(jobs, requests, signal));
      onCalled?.();
      const refusals = results.filter(isRefusal);
      // No call was made, so the whole request is refused: 2xx would mean that the operating system was asked.
      if (refusals.length === results.length) throw busy((refusals[0] as Refusal).message);
      return results;
    },
  };
}

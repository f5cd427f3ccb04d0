// Bursts: many calls with the same message, as fast as possible or at a rate. One burst runs at a time.
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BurstRequest, BurstResult } from '../../protocol/calls.js';
import { MAX_BURST_MS } from '../../protocol/limits.js';
import { osError, trustedResult } from '../../syscalls/bindings/errno.js';
import type { Tasks } from '../lifecycle/tasks.js';
import type { MadeCall } from '../records/journal.js';
import { busy } from '../refusal.js';
import type { Calls, Job } from './call.js';
import { CALL_SLICE_MS, timeSlice } from './time-slice.js';
import { createSum, type Sum } from './witnessed.js';

/** The time by which a burst at a rate may exceed MAX_BURST_MS, in ms, because its last timer may fire late. */
const LATE_MS = 1000;
/** A rate in calls per second that no machine reaches. */
const UNLIMITED = 1e12;

/**
 * Makes the calls of a burst.
 *
 * @throws a refusal when no call was made
 */
export type Burst = (request: BurstRequest, requestId: string, clientGone: AbortSignal) => Promise<BurstResult>;

export type BurstOptions = { calls: Calls; tasks: Tasks };

/** The sums over the calls that a burst has made so far. */
type Tally = {
  calls: number;
  written: number;
  durationNs: number;
  first: MadeCall;
  last: MadeCall;
  /** −errno → the number of calls that returned it. */
  refused: Map<number, number>;
  minNs: number;
  maxNs: number;
  /** The number of calls in each bucket of `histogramBucketOf`. */
  buckets: Uint32Array;
  /** The durations for the percentiles, to 0.1 %. It has a fixed size; sorting would need all durations in memory. */
  histogram: RecordableHistogram;
  /** The sums of what the witness saw; null without one. */
  seen: Sum | null;
};

/** Returns the bucket of a duration. There are eight buckets per octave, from 8 ns to 2 s. */
function histogramBucketOf(ns: number): number {
  const within = Math.max(8, Math.min(ns, 0x7fffffff));
  const octave = 31 - Math.clz32(within);
  return octave * 8 + (within >>> (octave - 3)) - 8;
}

/** Returns the lower end of a bucket, in ns. */
const leastOf = (bucket: number): number => (8 + (bucket & 7)) * 2 ** ((bucket >> 3) - 3);

const tallyOf = (first: MadeCall, isWitnessed: boolean): Tally => ({
  calls: 0,
  written: 0,
  durationNs: 0,
  first,
  last: first,
  refused: new Map(),
  minNs: Infinity,
  maxNs: 0,
  buckets: new Uint32Array(256),
  histogram: createHistogram(),
  seen: isWitnessed ? createSum() : null,
});

function add(tally: Tally, call: MadeCall): void {
  const { durationNs } = call;
  const result = trustedResult(call.result, call.bytes.length);
  tally.calls += 1;
  tally.durationNs += durationNs;
  tally.last = call;
  if (result < 0) tally.refused.set(result, (tally.refused.get(result) ?? 0) + 1);
  else tally.written += result;
  if (durationNs < tally.minNs) tally.minNs = durationNs;
  if (durationNs > tally.maxNs) tally.maxNs = durationNs;
  const bucket = histogramBucketOf(durationNs);
  tally.buckets[bucket] = (tally.buckets[bucket] as number) + 1;
  tally.histogram.record(durationNs || 1);
  if (tally.seen !== null && call.report !== null) tally.seen.add(call.report);
}

/** Returns the start of a call, on performance.now()'s clock. */
const startOf = ({ end, durationNs }: MadeCall): number => end - durationNs / 1e6;

export function createBurst({ calls, tasks }: BurstOptions): Burst {
  /** The time when the running burst should end, on performance.now()'s clock; null when none runs. */
  let endsBy: number | null = null;

  async function run(job: Job, count: number, perMs: number, signal: AbortSignal): Promise<BurstResult> {
    const first = calls.make(job, job.bytes);
    const tally = tallyOf(first, job.isWitnessed);
    add(tally, first);
    const start = startOf(first);
    const deadline = start + MAX_BURST_MS + (perMs < UNLIMITED / 1000 ? LATE_MS : 0);
    for (;;) {
      // Call k is due at start + k / perMs. A late slice makes up for the calls that it missed, so no error adds up.
      const now = performance.now();
      const due = Math.min(count, Math.floor((now - start) * perMs) + 1);
      while (tally.calls < due && tally.last.end - now < CALL_SLICE_MS) add(tally, calls.make(job, job.bytes));
      if (tally.calls >= count || now >= deadline) break;
      // A timer waits one millisecond or more, so at a high rate several calls are due when it fires.
      if (tally.calls < due) await timeSlice();
      else await sleep(start + tally.calls / perMs - performance.now(), undefined, { signal }).catch(() => {});
      if (signal.aborted) break;
    }
    return resultOf(job, tally);
  }

  return async ({ count, ratePerSecond = UNLIMITED, ...request }, requestId, clientGone) => {
    const job = calls.prepare(request, requestId);
    const now = performance.now();
    if (endsBy !== null)
      throw busy(
        'another burst is running, and only one may run at a time: try again later',
        'bursts',
        Math.max(1, Math.ceil((endsBy - now) / 1000)),
      );
    endsBy = now + (count / ratePerSecond) * 1000;
    try {
      return await tasks.run(clientGone, (signal) => run(job, count, ratePerSecond / 1000, signal));
    } finally {
      endsBy = null;
    }
  };
}

function resultOf(job: Job, tally: Tally): BurstResult {
  const { calls, written, durationNs, first, last, refused, minNs, maxNs, buckets, histogram, seen } = tally;
  // createHistogram reports the upper end of its bucket, which may lie above the longest duration.
  const percentile = (percent: number): number => Math.min(maxNs, histogram.percentile(percent));
  return {
    requestId: job.requestId,
    level: job.level,
    target: job.target,
    requested: job.bytes.length,
    written,
    count: calls,
    errors: Object.fromEntries([...refused].map(([result, times]) => [osError(result)?.code, times])),
    durationNs: {
      min: minNs,
      mean: Math.round(durationNs / calls),
      p50: percentile(50),
      p90: percentile(90),
      p99: percentile(99),
      max: maxNs,
    },
    histogram: [...buckets].flatMap((times, bucket) => (times > 0 ? [{ ns: leastOf(bucket), calls: times }] : [])),
    callsPerSecond: calls / ((last.end - startOf(first)) / 1000),
    firstSeq: first.seq,
    lastSeq: last.seq,
    ...seen?.fields(),
  };
}

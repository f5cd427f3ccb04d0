// One message, many calls: as fast as they go, or at a rate. One burst at a time. Knows no transport.
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BurstRequest, type BurstResult, MAX_BURST_MS } from '../../protocol/calls.js';
import { osError } from '../../syscalls/bindings/errno.js';
import { busy } from '../answers/problem.js';
import type { Lasting, WhenGone } from '../lifecycle/tasks.js';
import { type Caller, type Job, told } from './call.js';
import { SLICE_MS, turn } from './time-slice.js';

/** How much longer than MAX_BURST_MS a burst at a rate may take, whose last timer comes late. */
const LATE_MS = 1000;
/** More a second than any machine makes. */
const UNLIMITED = 1e12;

/**
 * Makes the calls of a burst.
 *
 * @throws a refusal (problem.ts) when no call was made
 */
export type Burst = (request: BurstRequest, requestId: string, whenGone: WhenGone) => Promise<BurstResult>;

export type BurstOptions = { caller: Caller; lasting: Lasting };

/** What the calls of a burst have come to so far. */
type Tally = {
  start: number;
  firstSeq: number;
  /** How often each −errno was returned. */
  refused: Map<number, number>;
  min: number;
  max: number;
  /** How many calls took how long, by `bucketOf`. */
  buckets: Uint32Array;
  /** Durations, for the percentiles: within 0.1 %, and 16 ns each, where sorting would keep them all. */
  histogram: RecordableHistogram;
};

/** Eight buckets an octave, from 8 ns to 2 s: as even on a logarithmic axis as whole numbers can be. */
function bucketOf(ns: number): number {
  const within = Math.max(8, Math.min(ns, 0x7fffffff));
  const octave = 31 - Math.clz32(within);
  return octave * 8 + (within >>> (octave - 3)) - 8;
}

/** The shortest time of a bucket, in ns. */
const leastOf = (bucket: number): number => (8 + (bucket & 7)) * 2 ** ((bucket >> 3) - 3);

export function createBurst({ caller: { prepare, call }, lasting }: BurstOptions): Burst {
  /** When the burst that runs will be over at the latest, on performance.now()'s clock. */
  let over: number | null = null;

  function once(job: Job, tally: Tally): void {
    call(job, job.bytes);
    const { callNs, result } = job;
    if (callNs < tally.min) tally.min = callNs;
    if (callNs > tally.max) tally.max = callNs;
    const bucket = bucketOf(callNs);
    tally.buckets[bucket] = (tally.buckets[bucket] as number) + 1;
    tally.histogram.record(callNs || 1);
    if (result < 0) tally.refused.set(result, (tally.refused.get(result) ?? 0) + 1);
  }

  async function run(job: Job, count: number, perMs: number, signal: AbortSignal): Promise<BurstResult> {
    const tally: Tally = {
      start: 0,
      firstSeq: 0,
      refused: new Map(),
      min: Infinity,
      max: 0,
      buckets: new Uint32Array(256),
      histogram: createHistogram(),
    };
    once(job, tally);
    const start = job.end - job.callNs / 1e6;
    Object.assign(tally, { start, firstSeq: job.seq });
    const most = start + MAX_BURST_MS + (perMs < UNLIMITED / 1000 ? LATE_MS : 0);
    for (;;) {
      // Call k is due at k / perMs, so that a late turn is made up for and no error adds up.
      const now = performance.now();
      const due = Math.min(count, Math.floor((now - start) * perMs) + 1);
      while (job.calls < due && job.end - now < SLICE_MS) once(job, tally);
      if (job.calls >= count || now >= most) break;
      // A timer waits a millisecond or more: calls at a rate are made in lots of as many as are due by then.
      if (job.calls < due) await turn();
      else await sleep(start + job.calls / perMs - performance.now(), undefined, { signal }).catch(() => {});
      if (signal.aborted) break;
    }
    return resultOf(job, tally);
  }

  return async ({ count, ratePerSecond = UNLIMITED, ...request }, requestId, whenGone) => {
    const job = prepare(request, requestId);
    const now = performance.now();
    if (over !== null)
      throw busy(
        'another burst runs, and there is one at a time: try again later',
        'bursts',
        Math.max(1, Math.ceil((over - now) / 1000)),
      );
    over = now + (count / ratePerSecond) * 1000;
    try {
      return await lasting.run(whenGone, (signal) => run(job, count, ratePerSecond / 1000, signal));
    } finally {
      over = null;
    }
  };
}

function resultOf(job: Job, { start, firstSeq, refused, min, max, buckets, histogram }: Tally): BurstResult {
  // The upper end of a bucket may lie above the longest.
  const within = (percent: number): number => Math.min(max, histogram.percentile(percent));
  return {
    ...told(job),
    count: job.calls,
    errors: Object.fromEntries([...refused].map(([result, times]) => [osError(result)?.code, times])),
    durationNs: {
      min,
      mean: Math.round(job.durationNs / job.calls),
      p50: within(50),
      p90: within(90),
      p99: within(99),
      max,
    },
    histogram: [...buckets].flatMap((calls, bucket) => (calls > 0 ? [{ ns: leastOf(bucket), calls }] : [])),
    callsPerSecond: job.calls / ((job.end - start) / 1000),
    firstSeq,
    lastSeq: job.seq,
  };
}

// Counters of calls, answers and limits since the start. prometheus.ts reads them for GET /metrics.
import { AGREES, type WitnessReport } from '../../protocol/system-call.js';
import { trustedResult } from '../../syscalls/bindings/errno.js';
import { LIMITS, type Limit } from '../refusal.js';

/** The first bucket holds calls of up to 2^7 ns. Each next end is twice as long, up to 2^30 ns. The last has no end. */
const FIRST_OCTAVE = 7;
const LAST_OCTAVE = 30;
/** The upper ends of all buckets but the last, in ns. A bucket includes its end. */
export const BUCKET_ENDS = Array.from({ length: LAST_OCTAVE - FIRST_OCTAVE + 1 }, (_, at) => 2 ** (at + FIRST_OCTAVE));
const BUCKETS = BUCKET_ENDS.length + 1;

const octaveOf = (ns: number): number =>
  // Math.clz32 counts in 32 bits, so longer durations need a test of their own.
  ns > 2 ** LAST_OCTAVE ? BUCKETS - 1 : Math.max(0, 32 - Math.clz32(Math.max(0, ns - 1)) - FIRST_OCTAVE);

/** The counts of one level's calls to one target. */
export type CallCount = {
  level: number;
  target: number;
  /** The calls that the operating system accepted. */
  taken: number;
  /** −errno → the number of calls that returned it. */
  refused: ReadonlyMap<number, number>;
  /** The bytes that the operating system accepted. */
  written: number;
};

/** The durations of one level's calls: the number of calls in each bucket, and their sum in ns. */
export type Durations = { buckets: Float64Array; sum: number };

/** The calls of one level that had a witness, and those of them whose verdict was not `agrees`. */
export type Witnessed = { calls: number; disagreed: number };

export type Answers = { method: string; route: string; status: number; times: number };

type CountedCall = {
  level: number;
  target: number;
  bytes: Uint8Array;
  result: number;
  durationNs: number;
  report: WitnessReport | null;
};

export type Counters = {
  /** Counts one call. Its level and target are indices in their tables. */
  call: (call: CountedCall) => void;
  /**
   * Counts one answer that was sent. `route` is empty for unmatched requests, `method` for requests that could not be
   * parsed.
   */
  answer: (status: number, method?: string, route?: string) => void;
  /** Counts a request or connection that was refused because of a limit. */
  limit: (limit: Limit) => void;
  /** Returns the counts of every level and target with at least one call. */
  calls: () => CallCount[];
  /** Returns the durations of every level with at least one call. */
  durations: () => { level: number; durations: Durations }[];
  /** Returns the number of answers for each combination of method, route and status. */
  answers: () => Iterable<Answers>;
  /** By level. */
  witnessed: readonly Witnessed[];
  limits: Readonly<Record<Limit, number>>;
  /** Returns how often something was counted. */
  changes: () => number;
};

/**
 * @param levels the number of levels
 * @param targets the number of targets
 */
export function createCounters(levels: number, targets: number): Counters {
  const pairs = Array.from({ length: levels * targets }, (_, at) => ({
    level: Math.floor(at / targets),
    target: at % targets,
    taken: 0,
    refused: new Map<number, number>(),
    written: 0,
  }));
  const durations: Durations[] = Array.from({ length: levels }, () => ({ buckets: new Float64Array(BUCKETS), sum: 0 }));
  const witnessed: Witnessed[] = Array.from({ length: levels }, () => ({ calls: 0, disagreed: 0 }));
  /** By route, method and status: no key has to be put together for an answer. */
  const answers = new Map<string, Map<string, Map<number, Answers>>>();
  let changes = 0;
  const limits = Object.fromEntries(LIMITS.map((limit) => [limit, 0])) as Record<Limit, number>;

  return {
    call({ level, target, bytes, result: returned, durationNs, report }) {
      const result = trustedResult(returned, bytes.length);
      changes += 1;
      const pair = pairs[level * targets + target] as (typeof pairs)[number];
      if (result < 0) pair.refused.set(result, (pair.refused.get(result) ?? 0) + 1);
      else {
        pair.taken += 1;
        pair.written += result;
      }
      const took = durations[level] as Durations;
      const bucket = octaveOf(durationNs);
      took.buckets[bucket] = (took.buckets[bucket] as number) + 1;
      took.sum += durationNs;
      if (report !== null) {
        const seen = witnessed[level] as Witnessed;
        seen.calls += 1;
        if (report.verdict !== AGREES) seen.disagreed += 1;
      }
    },
    answer(status, method = '', route = '') {
      changes += 1;
      const known = answers.get(route)?.get(method)?.get(status);
      if (known) {
        known.times += 1;
        return;
      }
      const methods = answers.get(route) ?? new Map<string, Map<number, Answers>>();
      const statuses = methods.get(method) ?? new Map<number, Answers>();
      answers.set(route, methods.set(method, statuses.set(status, { method, route, status, times: 1 })));
    },
    limit(limit) {
      changes += 1;
      limits[limit] += 1;
    },
    calls: () => pairs.filter(({ taken, refused }) => taken > 0 || refused.size > 0),
    durations: () =>
      durations.flatMap((took, level) => (took.buckets.some(Boolean) ? [{ level, durations: took }] : [])),
    answers: () =>
      [...answers.values()].flatMap((methods) => [...methods.values()].flatMap((each) => [...each.values()])),
    witnessed,
    limits,
    changes: () => changes,
  };
}

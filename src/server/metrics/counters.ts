// Counters of everything that happened since the start, in plain numbers. prometheus.ts reads them when it is asked.
import { LIMITS, type Limit } from '../refusal.js';

/** The first bucket holds calls of up to 2^7 ns, each further one twice as long, the last but one up to 2^30 ns; then all. */
const FIRST_OCTAVE = 7;
const LAST_OCTAVE = 30;
/** The buckets' upper ends, in ns, both included. */
export const BUCKET_ENDS = Array.from({ length: LAST_OCTAVE - FIRST_OCTAVE + 1 }, (_, at) => 2 ** (at + FIRST_OCTAVE));
const BUCKETS = BUCKET_ENDS.length + 1;

const octaveOf = (ns: number): number =>
  // clz32 knows 32 bits only.
  ns > 2 ** LAST_OCTAVE ? BUCKETS - 1 : Math.max(0, 32 - Math.clz32(Math.max(0, ns - 1)) - FIRST_OCTAVE);

/** The calls of one level to one target. */
export type CallCount = {
  level: number;
  target: number;
  /** That were not refused. */
  taken: number;
  /** How often each −errno was returned. */
  refused: ReadonlyMap<number, number>;
  /** Bytes. */
  written: number;
};

/** How long one level's calls took: how many in each bucket, and all together in ns. */
export type Durations = { buckets: Float64Array; sum: number };

export type Answers = { method: string; route: string; status: number; times: number };

export type Counters = {
  /** Counts one call. Its level and target are indices in their tables. */
  call: (call: { level: number; target: number; result: number; durationNs: number }) => void;
  /** Counts one answer that has left. `route` is empty for unmatched requests, `method` for what could not be parsed. */
  answer: (status: number, method?: string, route?: string) => void;
  /** Counts a request that a limit kept out. */
  limit: (limit: Limit) => void;
  /** Levels and targets that were never called, and answers that were never given, are left out of these. */
  calls: () => CallCount[];
  durations: () => { level: number; durations: Durations }[];
  answers: () => Iterable<Answers>;
  limits: Readonly<Record<Limit, number>>;
};

/**
 * @param levels how many there are; `targets` likewise
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
  const answers = new Map<string, Answers>();
  const limits = Object.fromEntries(LIMITS.map((limit) => [limit, 0])) as Record<Limit, number>;

  return {
    call({ level, target, result, durationNs }) {
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
    },
    answer(status, method = '', route = '') {
      const key = `${status} ${method} ${route}`;
      const known = answers.get(key);
      if (known) known.times += 1;
      else answers.set(key, { method, route, status, times: 1 });
    },
    limit(limit) {
      limits[limit] += 1;
    },
    calls: () => pairs.filter(({ taken, refused }) => taken > 0 || refused.size > 0),
    durations: () =>
      durations.flatMap((took, level) => (took.buckets.some(Boolean) ? [{ level, durations: took }] : [])),
    answers: () => answers.values(),
    limits,
  };
}

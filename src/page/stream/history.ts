// What the page remembers of the stream: the last rows, those of them that pass the filters, and two minutes of
// rates. Runs in the worker; knows nothing of the document or of the network.
import type { CallRecord, Gap, Hello } from '../../protocol/records.js';

/** The content of a row. A hello becomes a row only when another run of the service begins. */
export type Entry = CallRecord | Gap | Hello;

/** An entry and its number. Numbers count up from 0 and are never used twice, whatever the filter. */
export type Row = { number: number; entry: Entry };

export type Filter = { level: string | null; target: string | null; errors: boolean };

/** One second of one level. */
export type Second = { calls: number; bytes: number; errors: number };

/** How many rows are kept. */
const MAX_ROWS = 100_000;
/** How far back the rates go, in seconds. */
export const RATE_SECONDS = 120;

export type History = {
  add: (entry: Entry) => void;
  filter: (filter: Filter) => void;
  /** How many rows passed the filter so far, those included that are not kept any more. */
  passed: () => number;
  /** How many of the first `until` that passed are kept. */
  size: (until: number) => number;
  /** Rows, newest first: of the first `until` that passed, from the `from`-th newest on. */
  rows: (from: number, count: number, until: number) => Row[];
  /** Calls told of, and calls that gaps say are lost. */
  counts: () => { told: number; lost: number };
  /** Per level, one entry a second up to `now` (milliseconds since 1970), oldest first. */
  rates: (now: number) => Record<string, Second[]>;
};

export function createHistory(capacity = MAX_ROWS): History {
  const entries = new Array<Entry | null>(capacity).fill(null);
  const perLevel = new Map<string, { second: number; at: Second }[]>();
  let next = 0;
  let filter: Filter = { level: null, target: null, errors: false };
  /** The numbers of the rows that pass, oldest first; those before `start` are not kept any more. */
  let passing: number[] = [];
  let start = 0;
  /** How many that passed were before the first of these. */
  let cut = 0;
  let told = 0;
  let lost = 0;

  // What is no call is shown always: a gap may hide anything.
  function passes(number: number): boolean {
    const entry = entries[number % capacity] as Entry;
    if (entry.type !== 'call') return true;
    return (
      (filter.level === null || entry.level === filter.level) &&
      (filter.target === null || entry.target === filter.target) &&
      (!filter.errors || entry.error !== null)
    );
  }

  function forget(): void {
    const oldest = next - capacity;
    while (start < passing.length && (passing[start] as number) < oldest) start += 1;
    if (start < capacity) return;
    passing = passing.slice(start);
    cut += start;
    start = 0;
  }

  function count({ time, level, written, error }: CallRecord): void {
    const second = Math.floor(time / 1000);
    let seconds = perLevel.get(level);
    if (!seconds) {
      seconds = [];
      perLevel.set(level, seconds);
    }
    // The service's clock may be set back: then a second is there already.
    let last = seconds.findLast((one) => one.second === second);
    if (!last) {
      last = { second, at: { calls: 0, bytes: 0, errors: 0 } };
      seconds.push(last);
      if (seconds.length > 2 * RATE_SECONDS) seconds.splice(0, RATE_SECONDS);
    }
    last.at.calls += 1;
    last.at.bytes += written;
    if (error !== null) last.at.errors += 1;
  }

  return {
    add(entry) {
      entries[next % capacity] = entry;
      if (entry.type === 'call') {
        told += 1;
        count(entry);
      } else if (entry.type === 'gap') lost += entry.to - entry.from + 1;
      if (passes(next)) passing.push(next);
      next += 1;
      forget();
    },
    filter(wanted) {
      filter = wanted;
      passing = [];
      start = 0;
      cut = 0;
      for (let number = Math.max(0, next - capacity); number < next; number++) if (passes(number)) passing.push(number);
    },
    passed: () => cut + passing.length,
    size: (until) => Math.max(0, until - cut - start),
    rows(from, count, until) {
      const newest = until - cut - 1 - from;
      const rows: Row[] = [];
      for (let index = newest; index > newest - count && index >= start; index--) {
        const number = passing[index] as number;
        rows.push({ number, entry: entries[number % capacity] as Entry });
      }
      return rows;
    },
    counts: () => ({ told, lost }),
    rates(now) {
      const end = Math.floor(now / 1000);
      return Object.fromEntries(
        [...perLevel].map(([level, seconds]) => {
          const known = new Map(seconds.map(({ second, at }) => [second, at]));
          const none: Second = { calls: 0, bytes: 0, errors: 0 };
          return [
            level,
            Array.from({ length: RATE_SECONDS }, (_, index) => known.get(end - RATE_SECONDS + 1 + index) ?? none),
          ];
        }),
      );
    },
  };
}

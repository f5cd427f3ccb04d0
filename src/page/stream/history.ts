// The page's memory of the stream: the last rows, the rows that match the filter, and two minutes of rates.
// It runs in the worker and uses neither the document nor the network.
import type { CallRecord, Gap, Hello } from '../../protocol/records.js';

/** The content of a row. A hello becomes a row only when another run of the service begins. */
export type Entry = CallRecord | Gap | Hello;

/** An entry and its number. Numbers count up from 0 and are never used twice, whatever the filter. */
export type Row = { number: number; entry: Entry };

export type Filter = { level: string | null; target: string | null; errors: boolean };

/** The totals of one second at one level. */
export type Second = { calls: number; bytes: number; errors: number };

/** The most rows that are kept. */
const MAX_ROWS = 100_000;
/** The most system calls of witnessed calls that are kept. A call may have hundreds, each of some 400 bytes. */
const MAX_SYSTEM_CALLS = 50_000;
/** The time that the rates cover, in seconds. */
export const RATE_SECONDS = 120;

export type History = {
  add: (entry: Entry) => void;
  setFilter: (filter: Filter) => void;
  /** Count the rows that have matched the filter so far, forgotten ones included. */
  countMatched: () => number;
  /** Count those of the first `until` matching rows that are still kept. */
  countKept: (until: number) => number;
  /** Return up to `count` of the first `until` matching rows, newest first, from the `from`-th newest on. */
  readRows: (from: number, count: number, until: number) => Row[];
  /** Count the call records received, and the records that gaps report as lost. */
  countRecords: () => { received: number; lost: number };
  /** Return, per level, one entry for each second up to `now` (milliseconds since 1970), oldest first. */
  readRates: (now: number) => Record<string, Second[]>;
};

const countCalls = (entry: Entry): number => (entry.type === 'call' ? (entry.systemCalls?.length ?? 0) : 0);

/** Return an entry without its system calls. They count as dropped, as in the service's own ring. */
function withoutCalls(entry: Entry): Entry {
  if (entry.type !== 'call') return entry;
  return { ...entry, systemCalls: [], dropped: (entry.dropped ?? 0) + countCalls(entry) };
}

/**
 * @param capacity the rows to keep
 * @param mostCalls the system calls to keep; beyond them the oldest rows lose their lists
 */
export function createHistory(capacity = MAX_ROWS, mostCalls = MAX_SYSTEM_CALLS): History {
  /** A ring: row `number` is at `number % capacity`. */
  const entries = new Array<Entry | null>(capacity).fill(null);
  /** The system calls in all rows, and a number below which no row has any. */
  let keptCalls = 0;
  let firstListed = 0;
  const secondsByLevel = new Map<string, { second: number; totals: Second }[]>();
  let nextNumber = 0;
  let filter: Filter = { level: null, target: null, errors: false };
  /** The numbers of the matching rows, oldest first. The rows before index `start` are forgotten. */
  let matching: number[] = [];
  let start = 0;
  /** The count of matching rows that were removed from the front of `matching`. */
  let removed = 0;
  let received = 0;
  let lost = 0;

  const entryOf = (number: number): Entry => entries[number % capacity] as Entry;

  function isMatch(entry: Entry): boolean {
    // A gap may hide calls of any kind, so it is always shown; so is the start of a run.
    if (entry.type !== 'call') return true;
    return (
      (filter.level === null || entry.level === filter.level) &&
      (filter.target === null || entry.target === filter.target) &&
      (!filter.errors || entry.error !== null)
    );
  }

  function forgetOverwritten(): void {
    const oldest = nextNumber - capacity;
    while (start < matching.length && (matching[start] as number) < oldest) start += 1;
    // Copying the array is expensive, so it waits until a whole capacity of numbers can go.
    if (start < capacity) return;
    matching = matching.slice(start);
    removed += start;
    start = 0;
  }

  /** Drop the oldest lists, so that memory is bounded whatever the calls did. */
  function dropCalls(): void {
    firstListed = Math.max(firstListed, nextNumber - capacity);
    for (; keptCalls > mostCalls; firstListed++) {
      const entry = entryOf(firstListed);
      const calls = countCalls(entry);
      if (calls === 0) continue;
      keptCalls -= calls;
      entries[firstListed % capacity] = withoutCalls(entry);
    }
  }

  function addToRates({ time, level, written, error }: CallRecord): void {
    const second = Math.floor(time / 1000);
    let seconds = secondsByLevel.get(level);
    if (!seconds) {
      seconds = [];
      secondsByLevel.set(level, seconds);
    }
    // If the service's clock was set back, this second may not be the last one.
    let found = seconds.findLast((one) => one.second === second);
    if (!found) {
      found = { second, totals: { calls: 0, bytes: 0, errors: 0 } };
      seconds.push(found);
      if (seconds.length > 2 * RATE_SECONDS) seconds.splice(0, RATE_SECONDS);
    }
    found.totals.calls += 1;
    found.totals.bytes += written;
    if (error !== null) found.totals.errors += 1;
  }

  return {
    add(entry) {
      const overwritten = entries[nextNumber % capacity];
      if (overwritten) keptCalls -= countCalls(overwritten);
      keptCalls += countCalls(entry);
      entries[nextNumber % capacity] = entry;
      if (entry.type === 'call') {
        received += 1;
        addToRates(entry);
      } else if (entry.type === 'gap') lost += entry.to - entry.from + 1;
      if (isMatch(entry)) matching.push(nextNumber);
      nextNumber += 1;
      dropCalls();
      forgetOverwritten();
    },
    setFilter(wanted) {
      filter = wanted;
      matching = [];
      start = 0;
      removed = 0;
      for (let number = Math.max(0, nextNumber - capacity); number < nextNumber; number++)
        if (isMatch(entryOf(number))) matching.push(number);
    },
    countMatched: () => removed + matching.length,
    countKept: (until) => Math.max(0, until - removed - start),
    readRows(from, count, until) {
      const newest = until - removed - 1 - from;
      const rows: Row[] = [];
      for (let index = newest; index > newest - count && index >= start; index--) {
        const number = matching[index] as number;
        rows.push({ number, entry: entryOf(number) });
      }
      return rows;
    },
    countRecords: () => ({ received, lost }),
    readRates(now) {
      const end = Math.floor(now / 1000);
      return Object.fromEntries(
        [...secondsByLevel].map(([level, seconds]) => {
          const known = new Map(seconds.map(({ second, totals }) => [second, totals]));
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

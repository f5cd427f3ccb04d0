// A reader's place in the journal. The stream, the record file and GET /events all read through a cursor.
import type { Gap } from '../../protocol/records.js';
import type { Filter, Journal } from './journal.js';

/** How many records one reader, or several, got, and how many the ring overtook before that. */
export type Delivery = { delivered: number; lost: number };

export type CursorOptions = {
  /** The `seq` to begin with. */
  from: number;
  filter?: Filter;
  /** Where the cursor counts what it reads. */
  delivery?: Delivery;
};

export type Cursor = {
  /**
   * Reads on: lines of JSON, and a `gap` for records that the ring has overtaken, its ends included, before filters.
   *
   * It returns none at the end of the journal, and when a filter let none of many pass: `isBehind` tells them apart.
   */
  read: (most: { chars?: number; records?: number }) => string[];
  /** The `seq` of the next record to read. */
  next: () => number;
  /** Whether there are records that were not looked at yet. */
  isBehind: () => boolean;
  /** Moves to the end. @returns a `gap` of what was skipped, or null when nothing was */
  giveUp: () => string | null;
};

/** How many records one read looks at, so that a filter that lets none of millions pass delays nobody. */
const SCAN = 1 << 14;

export function createCursor(journal: Journal, { from, filter = {}, delivery }: CursorOptions): Cursor {
  const counted = delivery ?? { delivered: 0, lost: 0 };
  let at = from;

  /** Moves on to `end`. @returns the gap */
  function skipTo(end: number): string {
    const gap: Gap = { type: 'gap', from: at, to: end - 1 };
    counted.lost += end - at;
    at = end;
    return JSON.stringify(gap);
  }

  return {
    read({ chars = Infinity, records = Infinity }) {
      const lines: string[] = [];
      let size = 0;
      let found = 0;
      const oldest = journal.oldest();
      if (at < oldest) lines.push(skipTo(oldest));
      for (const end = Math.min(journal.next(), at + SCAN); at < end && size < chars && found < records; at++) {
        if (!journal.matches(at, filter)) continue;
        const line = journal.line(at);
        lines.push(line);
        found += 1;
        size += line.length;
      }
      counted.delivered += found;
      return lines;
    },
    next: () => at,
    isBehind: () => at < journal.next(),
    giveUp: () => (at < journal.next() ? skipTo(journal.next()) : null),
  };
}

// A reader's place in the journal. The stream, the record file and GET /events all read through a cursor.
import type { Gap } from '../../protocol/records.js';
import type { Filter, Journal } from './journal.js';

/** The number of records that one or more readers received, and of records that the ring overwrote before that. */
export type Delivery = { delivered: number; lost: number };

export type CursorOptions = {
  /** The `seq` to begin with. */
  from: number;
  filter?: Filter;
  /** The counts that the cursor adds to. */
  delivery?: Delivery;
};

export type Cursor = {
  /**
   * Reads the next records as lines of JSON. If the ring has overwritten some of them, the first line is a `gap` with
   * their range; it includes records that the filter would have left out.
   *
   * An empty result means the end of the journal if `isBehind` returns false. Otherwise no record among the SCAN next
   * ones matched the filter.
   */
  read: (most: { chars?: number; records?: number }) => string[];
  /** Returns the `seq` of the next record to read. */
  next: () => number;
  /** Returns true if there are records that this cursor has not reached. */
  isBehind: () => boolean;
  /** Moves to the end. @returns a `gap` with the skipped records; null if there were none */
  giveUp: () => string | null;
};

/** The most records that one read visits, so that a filter that matches few of them does not block the event loop. */
const SCAN = 1 << 14;

export function createCursor(journal: Journal, { from, filter = {}, delivery }: CursorOptions): Cursor {
  const counted = delivery ?? { delivered: 0, lost: 0 };
  let at = from;

  /** Moves to `end`. @returns a `gap` with the skipped records */
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

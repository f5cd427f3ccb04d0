// The numbered ring of records. Appending stores numbers; a record becomes JSON at most once, and
// only if somebody reads it. Readers hold nothing but the number of the record they want next.

import type { LevelId } from '../../protocol/names.js';
import { PREVIEW_BYTES, preview } from '../../protocol/preview.js';
import type { Gap } from '../../protocol/records.js';
import { osError } from '../../syscalls/bindings/errno.js';

export type Filter = { level?: number; target?: number; requestId?: string; errors?: boolean };

export type Journal = {
  /** How many records are kept. */
  capacity: number;
  /** The `seq` that the next call will have. */
  next: () => number;
  /** The oldest `seq` still kept; equal to `next()` when there is none. */
  oldest: () => number;
  /**
   * Keeps one call.
   *
   * @param time before the call, in milliseconds since 1970
   * @param level its index in the table of levels; `target` likewise
   * @param requested bytes asked for; `result` what the level returned
   * @param durationNs nanoseconds
   * @returns its `seq`
   */
  append: (
    time: number,
    requestId: string,
    level: number,
    target: number,
    bytes: Uint8Array,
    result: number,
    durationNs: number,
  ) => number;
  /** One kept record as a line of JSON. */
  line: (seq: number) => string;
  matches: (seq: number, filter: Filter) => boolean;
  /**
   * Calls `wake` after records were appended: once a turn of the event loop, and at once, as `urgent`, when `most`
   * of them are new. @returns what ends it
   */
  watch: (wake: (urgent: boolean) => void, most: number) => () => void;
};

export type JournalOptions = {
  /** How many records are kept. */
  capacity: number;
  levels: readonly LevelId[];
  targets: readonly { name: string; fd: number }[];
};

export function createJournal({ capacity, levels, targets }: JournalOptions): Journal {
  const times = new Float64Array(capacity);
  const levelOf = new Uint8Array(capacity);
  const targetOf = new Uint16Array(capacity);
  const requested = new Float64Array(capacity);
  const results = new Float64Array(capacity);
  const durations = new Float64Array(capacity);
  const previews = Buffer.alloc(capacity * PREVIEW_BYTES);
  const requestIds = new Array<string>(capacity).fill('');
  const lines = new Array<string | null>(capacity).fill(null);

  const levelParts = levels.map((id) => `","level":"${id}"`);
  const targetParts = targets.map(({ name, fd }) => `,"target":${JSON.stringify(name)},"fd":${fd},"requested":`);
  const pidPart = `,"pid":${process.pid},"preview":`;

  type Watcher = { wake: (urgent: boolean) => void; most: number; urgentAt: number };
  const watchers = new Set<Watcher>();
  let next = 1;
  let isFlushing = false;
  /** The first `seq` at which some watcher must be woken at once. */
  let urgentAt = Infinity;

  function wake(watcher: Watcher, urgent: boolean): void {
    watcher.urgentAt = next + watcher.most;
    watcher.wake(urgent);
  }

  function setUrgentAt(): void {
    urgentAt = Math.min(Infinity, ...Array.from(watchers, (watcher) => watcher.urgentAt));
  }

  function flush(): void {
    isFlushing = false;
    for (const watcher of watchers) wake(watcher, false);
    setUrgentAt();
  }

  function flushUrgent(): void {
    for (const watcher of watchers) if (watcher.urgentAt <= next) wake(watcher, true);
    setUrgentAt();
  }

  const oldest = (): number => Math.max(1, next - capacity);

  /**
   * The JSON of a CallRecord (schema/records.ts); the test of the journal holds it to that shape. By hand, and put
   * together by join(): a serializer's `+=` takes four times as long, and leaves a tree of its parts behind,
   * three times as large as the text. Ids have no character that JSON escapes.
   */
  function toJson(seq: number): string {
    const slot = seq % capacity;
    const asked = requested[slot] as number;
    const result = results[slot] as number;
    const start = slot * PREVIEW_BYTES;
    const kept = previews.subarray(start, start + Math.min(asked, PREVIEW_BYTES));
    return [
      '{"type":"call","seq":',
      seq,
      ',"time":',
      times[slot],
      ',"requestId":"',
      requestIds[slot],
      levelParts[levelOf[slot] as number],
      targetParts[targetOf[slot] as number],
      asked,
      ',"written":',
      Math.max(0, result),
      ',"error":',
      result < 0 ? JSON.stringify(osError(result)) : 'null',
      ',"durationNs":',
      durations[slot],
      pidPart,
      JSON.stringify(preview(kept, asked <= PREVIEW_BYTES)),
      '}',
    ].join('');
  }

  return {
    capacity,
    next: () => next,
    oldest,
    append(time, requestId, level, target, bytes, result, durationNs) {
      const slot = next % capacity;
      times[slot] = time;
      requestIds[slot] = requestId;
      levelOf[slot] = level;
      targetOf[slot] = target;
      requested[slot] = bytes.length;
      results[slot] = result;
      durations[slot] = durationNs;
      lines[slot] = null;
      // A copy, since the bytes themselves may be megabytes, which nobody wants kept alive. A loop,
      // since for so few it beats a view and a call of set().
      const kept = Math.min(bytes.length, PREVIEW_BYTES);
      const start = slot * PREVIEW_BYTES;
      for (let i = 0; i < kept; i++) previews[start + i] = bytes[i] as number;
      const seq = next++;
      if (watchers.size > 0) {
        if (!isFlushing) {
          isFlushing = true;
          setImmediate(flush);
        }
        if (next >= urgentAt) flushUrgent();
      }
      return seq;
    },
    line(seq) {
      const slot = seq % capacity;
      let line = lines[slot] ?? null;
      if (line === null) {
        line = toJson(seq);
        lines[slot] = line;
      }
      return line;
    },
    matches(seq, { level, target, requestId, errors }) {
      const slot = seq % capacity;
      return (
        (level === undefined || levelOf[slot] === level) &&
        (target === undefined || targetOf[slot] === target) &&
        (requestId === undefined || requestIds[slot] === requestId) &&
        (!errors || (results[slot] as number) < 0)
      );
    },
    watch(wake, most) {
      const watcher = { wake, most, urgentAt: next + most };
      watchers.add(watcher);
      setUrgentAt();
      return () => {
        watchers.delete(watcher);
        setUrgentAt();
      };
    },
  };
}

/** How many records a reader, or several, were given, and how many the ring overtook before that. */
export type Delivery = { delivered: number; lost: number };

export type Cursor = {
  /**
   * Lines of JSON from here on, up to about `most` characters, and moves on. '' when there are none, or when
   * a filter let none of many pass: `isBehind` tells which.
   */
  read: (most: number) => string;
  /** Whether there are records that were not looked at yet. */
  isBehind: () => boolean;
  /** Moves on to the end. @returns a `gap` of what was left; '' when nothing was */
  giveUp: () => string;
};

/** Records that one read looks at, so that a filter that lets none of millions pass holds nobody up. */
const SCAN = 1 << 14;

/**
 * A place in the journal. What the ring overtook is told as a `gap`, its ends included, before filters.
 *
 * @param delivery where the cursor counts
 */
export function createCursor(journal: Journal, from: number, delivery: Delivery, filter: Filter = {}): Cursor {
  let at = from;

  /** Goes past what lies before `end`. @returns the gap */
  function lose(end: number): string {
    const gap: Gap = { type: 'gap', from: at, to: end - 1 };
    delivery.lost += end - at;
    at = end;
    return JSON.stringify(gap);
  }

  return {
    read(most) {
      const found: string[] = [];
      let size = 0;
      const oldest = journal.oldest();
      if (at < oldest) found.push(lose(oldest));
      for (const end = Math.min(journal.next(), at + SCAN); at < end && size < most; at++) {
        if (!journal.matches(at, filter)) continue;
        const line = journal.line(at);
        found.push(line);
        delivery.delivered += 1;
        size += line.length;
      }
      return found.join('\n');
    },
    isBehind: () => at < journal.next(),
    giveUp: () => (at < journal.next() ? lose(journal.next()) : ''),
  };
}

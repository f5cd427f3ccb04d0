// The numbered ring of records. Appending stores numbers; a record becomes JSON at most once, and
// only if somebody reads it. Readers hold nothing but the number of the record they want next.
import type { LevelId } from '../syscalls/contract.js';
import { osError } from '../syscalls/errno.js';
import { PREVIEW_BYTES, preview } from './preview.js';
import { CallRecord } from './schema.js';
import { serializer } from './serialize.js';

export type Filter = { level?: number; target?: number; requestId?: string; errors?: boolean };

export type Journal = {
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
   * Calls `wake` after records were appended: once a turn of the event loop, and at once when half
   * the ring is new, so that a reader who drains at each call misses nothing. @returns what ends it
   */
  watch: (wake: () => void) => () => void;
};

export type JournalOptions = {
  /** How many records are kept. */
  capacity: number;
  levels: readonly LevelId[];
  targets: readonly { name: string; fd: number }[];
};

const toLine = serializer(CallRecord);

export function createJournal({ capacity, levels, targets }: JournalOptions): Journal {
  const times = new Float64Array(capacity);
  const levelOf = new Uint8Array(capacity);
  const targetOf = new Uint16Array(capacity);
  const requested = new Float64Array(capacity);
  const results = new Float64Array(capacity);
  const durations = new Float64Array(capacity);
  const previews = new Uint8Array(capacity * PREVIEW_BYTES);
  const requestIds = new Array<string>(capacity).fill('');
  const lines = new Array<string | null>(capacity).fill(null);

  const watchers = new Set<() => void>();
  const half = Math.max(1, capacity >> 1);
  let next = 1;
  let unseen = 0;

  function flush(): void {
    if (unseen === 0) return;
    unseen = 0;
    for (const wake of watchers) wake();
  }

  const oldest = (): number => Math.max(1, next - capacity);

  function toJson(seq: number): string {
    const slot = seq % capacity;
    const asked = requested[slot] as number;
    const result = results[slot] as number;
    const target = targets[targetOf[slot] as number];
    const start = slot * PREVIEW_BYTES;
    return toLine({
      type: 'call',
      seq,
      time: times[slot],
      requestId: requestIds[slot],
      level: levels[levelOf[slot] as number],
      target: target?.name,
      fd: target?.fd,
      requested: asked,
      written: Math.max(0, result),
      error: osError(result),
      durationNs: durations[slot],
      pid: process.pid,
      preview: preview(previews.subarray(start, start + Math.min(asked, PREVIEW_BYTES)), asked <= PREVIEW_BYTES),
    });
  }

  return {
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
        if (++unseen === 1) setImmediate(flush);
        if (unseen >= half) flush();
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
    watch(wake) {
      watchers.add(wake);
      return () => watchers.delete(wake);
    },
  };
}

export type Cursor = {
  /** Lines of JSON from here on, up to about `most` characters, and moves on; '' when there are none. */
  read: (most: number) => string;
};

/** A place in the journal. What the ring overtook is told as a `gap`, its ends included, before filters. */
export function createCursor(journal: Journal, from: number, filter: Filter = {}): Cursor {
  let at = from;
  return {
    read(most) {
      let text = '';
      const oldest = journal.oldest();
      if (at < oldest) {
        text = JSON.stringify({ type: 'gap', from: at, to: oldest - 1 });
        at = oldest;
      }
      for (const next = journal.next(); at < next && text.length < most; at++) {
        if (journal.matches(at, filter)) text += text === '' ? journal.line(at) : `\n${journal.line(at)}`;
      }
      return text;
    },
  };
}

// The numbered ring of records. Appending stores numbers; a record becomes JSON at most once, and
// only if somebody reads it. Readers hold nothing but the number of the record they want next.

import type { LevelId } from '../../protocol/names.js';
import { PREVIEW_BYTES, preview } from '../../protocol/preview.js';
import { osError } from '../../syscalls/bindings/errno.js';

export type Filter = { level?: number; target?: number; requestId?: string; errors?: boolean };

/** The facts about one call. */
export type MadeCall = {
  seq: number;
  /** Before the call, in milliseconds since 1970. */
  time: number;
  requestId: string;
  /** The index in the table of levels; `target` likewise. */
  level: number;
  target: number;
  bytes: Uint8Array;
  /** The level's result: bytes written, or −errno. */
  result: number;
  durationNs: number;
  /** When the call was over, on performance.now()'s clock. The journal does not keep it. */
  end: number;
};

export type Journal = {
  /** How many records are kept. */
  capacity: number;
  /** The `seq` that the next call will have. */
  next: () => number;
  /** The oldest `seq` still kept; equal to `next()` when there is none. */
  oldest: () => number;
  /** Keeps one call, whose `seq` is `next()`. */
  append: (call: MadeCall) => void;
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
    append({ time, requestId, level, target, bytes, result, durationNs }) {
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
      next += 1;
      if (watchers.size > 0) {
        if (!isFlushing) {
          isFlushing = true;
          setImmediate(flush);
        }
        if (next >= urgentAt) flushUrgent();
      }
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

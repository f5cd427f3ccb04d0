// The journal: a ring of numbered records. Appending stores numbers only. A record becomes JSON when a reader first
// needs it, and once for all readers. A reader is only a position in the ring, so it needs no memory of its own.

import { PREVIEW_BYTES } from '../../protocol/limits.js';
import type { LevelId } from '../../protocol/names.js';
import { preview } from '../../protocol/preview.js';
import type { WitnessReport } from '../../protocol/system-call.js';
import { outcomeOf, trustedResult } from '../../syscalls/bindings/errno.js';
import { createReports } from './reports.js';
import { createRequestIdRing } from './request-ids.js';

export type Filter = { level?: number; target?: number; requestId?: string; errors?: boolean };

/** The facts about one call. */
export type MadeCall = {
  seq: number;
  /** The time before the call, in milliseconds since 1970. */
  time: number;
  requestId: string;
  /** The level's index in LEVEL_IDS. */
  level: number;
  /** The target's index in the list of targets. */
  target: number;
  bytes: Uint8Array;
  /** The level's result: bytes written, or −errno. It may be a count that cannot be: read it with `outcomeOf`. */
  result: number;
  durationNs: number;
  /** The report of a witness about the call; null without one. */
  report: WitnessReport | null;
  /** The end of the call, on performance.now()'s clock. The journal does not keep it. */
  end: number;
};

export type Journal = {
  /** The most records that the journal keeps. */
  capacity: number;
  /** Returns the `seq` that the next call will have. */
  next: () => number;
  /** Returns the `seq` of the oldest record in the ring; that of the next call when there is no record. */
  oldest: () => number;
  /** Keeps the record of a call. Its `seq` must be `next()`. */
  append: (call: MadeCall) => void;
  /** Returns a record as a line of JSON. The record must still be in the ring; the same holds for `matches`. */
  line: (seq: number) => string;
  matches: (seq: number, filter: Filter) => boolean;
  /**
   * Calls `wake` after records were appended: once per turn of the event loop. When `most` records are new, it calls
   * `wake` at once, with `urgent` true.
   *
   * @returns a function that ends the watch
   */
  watch: (wake: (urgent: boolean) => void, most: number) => () => void;
};

export type JournalOptions = {
  /** The most records that the journal keeps. */
  capacity: number;
  /** The id of the run: see ServiceRun. */
  run: string;
  levels: readonly LevelId[];
  targets: readonly { name: string; fd: number }[];
};

export function createJournal({ capacity, run, levels, targets }: JournalOptions): Journal {
  const times = new Float64Array(capacity);
  const levelOf = new Uint8Array(capacity);
  const targetOf = new Uint16Array(capacity);
  const requested = new Float64Array(capacity);
  const results = new Float64Array(capacity);
  const durations = new Float64Array(capacity);
  const previews = Buffer.alloc(capacity * PREVIEW_BYTES);
  const requestIds = createRequestIdRing(capacity, run);
  const lines = new Array<string | null>(capacity).fill(null);
  const reports = createReports(capacity);

  const levelParts = levels.map((id) => `","level":"${id}"`);
  const targetParts = targets.map(({ name, fd }) => `,"target":${JSON.stringify(name)},"fd":${fd},"requested":`);
  const pidPart = `,"pid":${process.pid},"preview":`;

  type Watcher = { wake: (urgent: boolean) => void; most: number; urgentAt: number };
  const watchers = new Set<Watcher>();
  let next = 1;
  let isFlushing = false;
  /** The lowest `urgentAt` of all watchers. */
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
   * Makes the JSON of a CallRecord (protocol/records.ts). The journal's test compares it with that shape.
   *
   * Written by hand with join(): the `+=` of a compiled serializer takes four times as long, and V8 then keeps a tree
   * of the parts that is three times as large as the text. Request ids need no escapes: their characters are all safe.
   */
  function toJson(seq: number, report: WitnessReport | null): string {
    const slot = seq % capacity;
    const asked = requested[slot] as number;
    const { written, error } = outcomeOf(results[slot] as number, asked);
    const start = slot * PREVIEW_BYTES;
    const kept = previews.subarray(start, start + Math.min(asked, PREVIEW_BYTES));
    return [
      '{"type":"call","seq":',
      seq,
      ',"time":',
      times[slot],
      ',"requestId":"',
      requestIds.of(slot),
      levelParts[levelOf[slot] as number],
      targetParts[targetOf[slot] as number],
      asked,
      ',"written":',
      written,
      ',"error":',
      error ? JSON.stringify(error) : 'null',
      ',"durationNs":',
      durations[slot],
      pidPart,
      JSON.stringify(preview(kept, asked <= PREVIEW_BYTES)),
      report === null ? '}' : `,${JSON.stringify(report).slice(1)}`,
    ].join('');
  }

  return {
    capacity,
    next: () => next,
    oldest,
    append({ time, requestId, level, target, bytes, result, durationNs, report }) {
      const slot = next % capacity;
      times[slot] = time;
      requestIds.keep(slot, requestId);
      levelOf[slot] = level;
      targetOf[slot] = target;
      requested[slot] = bytes.length;
      results[slot] = result;
      durations[slot] = durationNs;
      lines[slot] = null;
      reports.keep(next, report);
      // A copy, because a reference would keep a message of megabytes in memory. A loop, because for so few bytes it is
      // faster than a view and set().
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
        const report = reports.of(seq);
        line = toJson(seq, report);
        // The line of a report is not kept: it is long, and changes when the report loses its list.
        if (report === null) lines[slot] = line;
      }
      return line;
    },
    matches(seq, { level, target, requestId, errors }) {
      const slot = seq % capacity;
      return (
        (level === undefined || levelOf[slot] === level) &&
        (target === undefined || targetOf[slot] === target) &&
        (requestId === undefined || requestIds.of(slot) === requestId) &&
        (!errors || trustedResult(results[slot] as number, requested[slot] as number) < 0)
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

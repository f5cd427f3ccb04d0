// What witnesses saw, by record. Few records have a report, so the ring's arrays have no place for it.
import { getHeapStatistics } from 'node:v8';
import type { WitnessReport } from '../../protocol/system-call.js';

/** The memory of one system call that is kept, with its report: 650 bytes, and 910 with the longest preview. */
const BYTES_PER_CALL = 1000;

/**
 * The most system calls that are kept: two for each record of the default ring. All take a sixteenth of the heap at most: in
 * a container of 256 MiB there are 17,000.
 */
export const MAX_KEPT = Math.min(131_072, Math.floor(getHeapStatistics().heap_size_limit / 16 / BYTES_PER_CALL));

/** Returns a report without its list. The calls count as dropped. */
export const withoutList = ({ systemCalls, complete, dropped, verdict }: WitnessReport): WitnessReport => ({
  systemCalls: [],
  complete,
  dropped: dropped + systemCalls.length,
  verdict,
});

export type Reports = {
  /** Keeps the report of a record, if it has one. Drops that of the record that the ring overwrites. */
  keep: (seq: number, report: WitnessReport | null) => void;
  /** Returns a record's report; null if it has none. */
  of: (seq: number) => WitnessReport | null;
};

/**
 * @param capacity the records that the ring keeps
 * @param most the system calls to keep; beyond them the oldest reports lose their lists, and say so in `dropped`
 */
export function createReports(capacity: number, most = MAX_KEPT): Reports {
  const reports = new Map<number, WitnessReport>();
  /** The lengths of the lists that are still there, the oldest first. */
  const lengths = new Map<number, number>();
  let kept = 0;

  function forget(seq: number): void {
    kept -= lengths.get(seq) ?? 0;
    lengths.delete(seq);
  }

  function dropList(seq: number): void {
    forget(seq);
    reports.set(seq, withoutList(reports.get(seq) as WitnessReport));
  }

  return {
    keep(seq, report) {
      if (reports.size > 0 && reports.delete(seq - capacity)) forget(seq - capacity);
      if (report === null) return;
      reports.set(seq, report);
      lengths.set(seq, report.systemCalls.length);
      kept += report.systemCalls.length;
      for (const oldest of lengths.keys()) {
        if (kept <= most) break;
        dropList(oldest);
      }
    },
    of: (seq) => reports.get(seq) ?? null,
  };
}

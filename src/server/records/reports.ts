// The reports of witnesses, by record. Few records have a report, so the ring's arrays have no place for it.
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
  let hasReports = false;
  /** The records whose lists are still there, from `head` on, the oldest first. */
  let withList: number[] = [];
  let head = 0;
  let kept = 0;

  /** Takes the oldest record off the front. */
  function shift(): number {
    const seq = withList[head++] as number;
    // A shift() of the array itself would move all others each time.
    if (head > withList.length / 2) [withList, head] = [withList.slice(head), 0];
    return seq;
  }

  return {
    keep(seq, report) {
      // Mostly there are none, and reading the map's size costs more than the rest of this function.
      const overwritten = hasReports ? reports.get(seq - capacity) : undefined;
      if (overwritten) {
        reports.delete(seq - capacity);
        hasReports = reports.size > 0;
        kept -= overwritten.systemCalls.length;
        if (withList[head] === seq - capacity) shift();
      }
      if (report === null) return;
      reports.set(seq, report);
      hasReports = true;
      withList.push(seq);
      kept += report.systemCalls.length;
      while (kept > most) {
        const oldest = shift();
        const whole = reports.get(oldest) as WitnessReport;
        kept -= whole.systemCalls.length;
        reports.set(oldest, withoutList(whole));
      }
    },
    of: (seq) => reports.get(seq) ?? null,
  };
}

// Compares a trace with records: leaves out what cannot be compared, aligns the rest, and counts.

import type { LevelId } from '../../../protocol/names.js';
import { align } from './align/align.js';
import type { Finding } from './align/steps.js';
import { createClock } from './clock.js';
import { lookAhead } from './look-ahead.js';
import type { RecordedCall } from './record-line.js';
import type { Overview, Records } from './records.js';
import { type Report, toDetail } from './report.js';
import { NEVER_ATTACHED, type Remarks, type Trace } from './trace-file.js';
import type { Format, TracedWrite } from './traces.js';

/** The levels whose calls a tracer of a format cannot see, with the end of a sentence that says why. */
const UNOBSERVABLE: Record<Format, { [level in LevelId]?: string }> = {
  strace: { uring: 'is no write system call' },
  ndjson: { uring: 'is no write system call' },
  bpftrace: { uring: 'is no write system call', int80: 'does not pass the sys_enter_write tracepoint' },
  perf: { uring: 'is no write system call', int80: 'does not pass the sys_enter_write tracepoint' },
};

/** Returns why no tracer of a format sees a level. A level of a newer service is not in the table. */
const reasonOf = (format: Format, level: string): string | undefined => UNOBSERVABLE[format][level as LevelId];
/** The end of that sentence for a call whose result no kernel returns, where the tracer saw no write. */
const ANSWERED_ELSEWHERE = 'returned what no kernel returns: a library answered, without a system call';

/** A write that was made so many ms before the first record or after the last may still be theirs: clocks differ. */
const MARGIN = 10;
const MOST_DETAILS = 1000;
/** The most gaps, and processes of the trace, that notes name. */
const MOST_NAMED = 10;

/** Was the write made by a process of the records, on one of its descriptors? */
function isOnRecordedDescriptor({ fds }: Overview, { pid, tid, fd }: TracedWrite): boolean {
  // strace reports threads only. The service makes its calls on the main thread, whose id is the process's.
  const process = pid ?? tid;
  if (process !== undefined) return fds.get(process)?.has(fd) ?? false;
  return [...fds.values()].some((known) => known.has(fd));
}

function describeTrouble(report: Report, overview: Overview, { torn, lost, lines, processes }: Remarks): string[] {
  const notes: string[] = [];
  const known = [...overview.fds.keys()];
  if (lines === 0) notes.push(`the trace is empty: ${NEVER_ATTACHED}`);
  else if (processes.size > 0 && !known.some((pid) => processes.has(pid)))
    notes.push(
      `the records are of process ${known.join(', ')}, but the trace has only process ${[...processes].join(', ')}: trace the service itself`,
    );
  if (torn > 0)
    notes.push(`${torn} torn lines of the trace could not be read; calls that they tell of count as missing`);
  if (lost > 0) notes.push(`the tracer itself says that it lost ${lost} events`);
  for (const { from, to } of overview.gaps.slice(0, MOST_NAMED))
    notes.push(`records ${from} to ${to} are gone (a gap): what was traced of those calls counts as extra`);
  for (const [level, count] of Object.entries(report.unobservable))
    notes.push(`${count} at level ${level}, which ${reasonOf(report.format, level) ?? ANSWERED_ELSEWHERE}`);
  return notes;
}

/** @param isStrict count every traced write, not only those on the descriptors and in the time of the records */
export async function compare(trace: Trace, { overview, read }: Records, isStrict: boolean): Promise<Report> {
  const report: Report = {
    format: trace.format,
    counts: { matched: 0, missing: 0, altered: 0, extra: 0, unobservable: 0 },
    details: [],
    leftOut: 0,
    unobservable: {},
    notes: [],
  };
  const remarks: Remarks = { torn: 0, lost: 0, lines: 0, processes: new Set() };
  const clock = createClock();

  function addUnobservable({ level }: RecordedCall): void {
    report.counts.unobservable += 1;
    report.unobservable[level] = (report.unobservable[level] ?? 0) + 1;
  }

  function add(finding: Finding): void {
    if (finding.kind === 'missing' && finding.call.result === undefined) {
      addUnobservable(finding.call);
      return;
    }
    report.counts[finding.kind] += 1;
    if (finding.kind === 'matched') return;
    const detail = toDetail(finding);
    if (!detail) return;
    if (report.details.length < MOST_DETAILS) report.details.push(detail);
    else report.leftOut += 1;
  }

  /** Was the write made while the records were? True if its time is not known. */
  function isInRecordedTime(write: TracedWrite): boolean {
    const time = clock.timeOf(write);
    return time === undefined || (time >= overview.first - MARGIN && time <= overview.last + MARGIN);
  }

  async function* comparableWrites(): AsyncGenerator<TracedWrite[]> {
    for await (const batch of trace.read(remarks)) {
      yield batch.filter((write) => {
        const process = write.pid ?? write.tid;
        if (process !== undefined && remarks.processes.size < MOST_NAMED) remarks.processes.add(process);
        if (isOnRecordedDescriptor(overview, write)) return true;
        if (isStrict) add({ kind: 'extra', write });
        return false;
      });
    }
  }

  async function* observableCalls(): AsyncGenerator<RecordedCall[]> {
    for await (const batch of read()) {
      yield batch.filter((call) => {
        if (reasonOf(trace.format, call.level) === undefined) return true;
        addUnobservable(call);
        return false;
      });
    }
  }

  const sides = { calls: lookAhead(observableCalls()), writes: lookAhead(comparableWrites()), clock };
  await align(sides, (finding) => {
    if (finding.kind !== 'extra' || isStrict || isInRecordedTime(finding.write)) add(finding);
  });
  report.notes = describeTrouble(report, overview, remarks);
  return report;
}

// Compares a trace with records: leaves out what cannot be compared, aligns the rest, and counts.

import type { LevelId } from '../../../protocol/names.js';
import { align } from './align/align.js';
import type { Finding } from './align/steps.js';
import { createClock } from './clock.js';
import type { Format, TracedWrite } from './formats/format.js';
import { lookAhead } from './look-ahead.js';
import { createOpinionCount } from './opinion.js';
import type { RecordedCall } from './record-line.js';
import type { Overview, Records } from './records.js';
import { type Report, toDetail } from './report.js';
import { createRemarks, type LineCount, NEVER_ATTACHED, type Remarks, type Trace } from './trace-file.js';
import { asEnter, hasEnter, isUnwitnessed } from './uring.js';

/** The reasons why a tracer of a format sees no call of a level, as the end of a sentence that begins with the level. */
const UNOBSERVABLE: { [level in LevelId]?: (format: Format) => string | undefined } = {
  // Its io_uring_enter is compared instead if the trace has it, see asEnter.
  uring: () => 'is no write system call',
  int80: ({ sees, hidesInt80 = 'is not seen by this tracer' }) => (sees.int80 ? undefined : hidesInt80),
};

/** Returns why no tracer of a format sees a level. A level of a newer service is not in the table. */
const reasonOf = (format: Format, level: string): string | undefined => UNOBSERVABLE[level as LevelId]?.(format);

const WITHOUT_WITNESS = ', and has no witness here';
/** The end of that sentence for a call whose result no kernel returns, where the tracer saw no write. */
const ANSWERED_ELSEWHERE = 'returned what no kernel returns: a library answered, without a system call';

/** A write that was made so many ms before the first record or after the last may still be theirs: clocks differ. */
const MARGIN = 10;
const MOST_DETAILS = 1000;
/** The most gaps, and processes of the trace, that notes name. */
const MOST_NAMED = 10;

/** Did the call return what no kernel returns? Then a witness that saw a write says that the tracer should have one. */
const isUnknown = ({ result, witness }: RecordedCall): boolean =>
  result === undefined && !(witness?.isWhole && witness.calls.length > 0);

/** Does the witness confirm that the call made no write? Node itself refuses some. */
const isNoCall = ({ witness }: RecordedCall): boolean =>
  witness?.isWhole === true && witness.confirms && witness.calls.length === 0;

/** Was the write made by a process of the records, on one of its descriptors, or the io_uring_enter on its ring? */
function isOnRecordedDescriptor(overview: Overview, { name, pid, tid, fd }: TracedWrite): boolean {
  const fds = name === 'write' ? overview.fds : overview.rings;
  // strace reports threads only. The service makes its calls on the main thread, whose id is the process's.
  const process = pid ?? tid;
  if (process !== undefined) return fds.get(process)?.has(fd) ?? false;
  return [...fds.values()].some((known) => known.has(fd));
}

/** Returns the start of a sentence: `3 lines of the trace (4, 17, 20)`. */
const numbered = ({ count, first }: LineCount): string =>
  `${count} line${count === 1 ? '' : 's'} of the trace (${first.join(', ')}${count > first.length ? ', …' : ''})`;

function describeTrouble(
  report: Report,
  overview: Overview,
  { unreadable, foreign, lost, lines, processes }: Remarks,
): string[] {
  const notes: string[] = [];
  const known = [...overview.fds.keys()];
  if (lines === 0) notes.push(`the trace is empty: ${NEVER_ATTACHED}`);
  else if (processes.size > 0 && !known.some((pid) => processes.has(pid)))
    notes.push(
      `the records are of process ${known.join(', ')}, but the trace has only process ${[...processes].join(', ')}: trace the service itself`,
    );
  if (unreadable.count > 0)
    notes.push(`${numbered(unreadable)} could not be read; calls that they tell of count as missing`);
  if (foreign.count > 0) notes.push(`${numbered(foreign)} are not of ${report.format.title}, and are left out`);
  if (lost > 0) notes.push(`the tracer itself says that it lost ${lost} events`);
  for (const { from, to } of overview.gaps.slice(0, MOST_NAMED))
    notes.push(`records ${from} to ${to} are gone (a gap): what was traced of those calls counts as extra`);
  for (const [why, count] of report.unobservable) notes.push(`${count} at level ${why}`);
  return notes;
}

/** @param isStrict count every traced write, not only those on the descriptors and in the time of the records */
export async function compare(trace: Trace, { overview, read }: Records, isStrict: boolean): Promise<Report> {
  const opinions = createOpinionCount();
  const report: Report = {
    format: trace.format,
    counts: { matched: 0, missing: 0, altered: 0, extra: 0, unobservable: 0 },
    details: [],
    leftOut: 0,
    unobservable: new Map(),
    notes: [],
    witness: opinions.counts,
  };
  const remarks = createRemarks();
  const clock = createClock();

  function addUnobservable({ level }: RecordedCall, more = ''): void {
    const why = `${level}, which ${reasonOf(trace.format, level) ?? ANSWERED_ELSEWHERE}${more}`;
    report.counts.unobservable += 1;
    report.unobservable.set(why, (report.unobservable.get(why) ?? 0) + 1);
  }

  function add(found: Finding): void {
    if (found.kind !== 'extra' && isUnwitnessed(found.call)) {
      addUnobservable(found.call, WITHOUT_WITNESS);
      return;
    }
    if (found.kind === 'missing' && isUnknown(found.call)) {
      addUnobservable(found.call);
      return;
    }
    const finding = found.kind === 'missing' && isNoCall(found.call) ? { ...found, kind: 'matched' as const } : found;
    opinions.add(finding);
    report.counts[finding.kind] += 1;
    if (finding.kind === 'matched') return;
    const detail = toDetail(finding);
    if (!detail) return;
    if (report.details.length < MOST_DETAILS) report.details.push(detail);
    else report.leftOut += 1;
  }

  /**
   * Was the write made while the records were? True if its time is not known. An io_uring_enter may be that of a call
   * without a record, such as the one with which GET /levels tries the level.
   */
  function isOfRecords(write: TracedWrite): boolean {
    if (write.name !== 'write') return false;
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
      yield batch.flatMap((call) => {
        if (reasonOf(trace.format, call.level) === undefined) return call;
        const [ring] = overview.rings.get(call.pid) ?? [];
        if (call.level === 'uring' && trace.hasEnters && ring !== undefined) return asEnter(call, ring);
        const { enters } = trace.format;
        addUnobservable(call, hasEnter(call) && enters ? `: ${enters}` : '');
        return [];
      });
    }
  }

  const sides = { calls: lookAhead(observableCalls()), writes: lookAhead(comparableWrites()), clock };
  await align(sides, (finding) => {
    if (finding.kind !== 'extra' || isStrict || isOfRecords(finding.write)) add(finding);
  });
  report.notes = [...describeTrouble(report, overview, remarks), ...opinions.notes()];
  return report;
}

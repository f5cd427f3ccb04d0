// Compares a trace with records: leaves out what cannot be compared, aligns the rest, and counts.

import type { LevelId } from '../../../protocol/names.js';
import { align } from './align/align.js';
import type { Finding } from './align/steps.js';
import { createClock } from './clock.js';
import type { Format, TracedWrite } from './formats/format.js';
import { lookAhead } from './look-ahead.js';
import { notesOf } from './notes.js';
import { createOpinionCount } from './opinion.js';
import { createPlaces } from './places.js';
import type { RecordedCall } from './record-line.js';
import type { Records } from './records.js';
import { createRemarks } from './remarks.js';
import { describeRun, type Report, toDetail } from './report.js';
import { type Overview, overviewOf } from './runs.js';
import type { Trace } from './trace-file.js';
import { asEnter, hasEnter, isUnwitnessed } from './uring.js';
import type { Window } from './window.js';

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

const MOST_DETAILS = 1000;
/** The most processes of the trace that notes name. */
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

export type Options = {
  /** Count every traced write, not only those on the descriptors and in the time of the records. */
  isStrict: boolean;
  /** Judge only records between the tracer's first and last event. */
  isAttached: boolean;
  /** Judge only these records. */
  window: Window | null;
  /** Judge only these runs, by their places. */
  judged: ReadonlySet<number>;
  /** Take the trace as it was printed, though its format may print lines in another order. */
  isAsPrinted: boolean;
};

/** @throws UsageError if the trace or the records turn out to be unusable */
export async function compare(trace: Trace, { runs, read }: Records, options: Options): Promise<Report> {
  const { isStrict, judged, window } = options;
  const overview = overviewOf(runs, (run) => judged.has(run));
  const opinions = createOpinionCount();
  const report: Report = {
    format: trace.format,
    counts: { matched: 0, missing: 0, altered: 0, extra: 0, unobservable: 0 },
    apart: { notWatched: 0, outside: 0, unrecorded: 0 },
    runs: runs.map((run, place) => describeRun(run, judged.has(place))),
    details: [],
    leftOut: 0,
    unobservable: new Map(),
    notes: [],
    withoutResult: 0,
    isOutOfOrder: false,
    witness: opinions.counts,
  };
  const remarks = createRemarks();
  const clock = createClock();
  /** The tracer's first event and its last so far, on whatever descriptor. */
  const span: { first: TracedWrite | undefined; last: TracedWrite | undefined } = { first: undefined, last: undefined };

  function addUnobservable(call: RecordedCall, more = ''): void {
    if (window?.(call) === false) {
      report.apart.outside += 1;
      return;
    }
    const why = `${call.level}, which ${reasonOf(trace.format, call.level) ?? ANSWERED_ELSEWHERE}${more}`;
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
    if (finding.kind === 'matched') {
      if (finding.writes.some(({ result }) => result === undefined)) report.withoutResult += 1;
      return;
    }
    const detail = toDetail(finding);
    if (!detail) return;
    if (report.details.length < MOST_DETAILS) report.details.push(detail);
    else report.leftOut += 1;
  }

  const places = createPlaces({ ...options, overview, clock, span: () => span }, (finding, placement) => {
    if (placement === 'judged') add(finding);
    // An extra write outside of the window is no record.
    else if (placement === 'unrecorded' || (finding.kind !== 'extra' && placement !== 'ignored'))
      report.apart[placement] += 1;
  });

  async function* comparableWrites(): AsyncGenerator<TracedWrite[]> {
    for await (const batch of trace.read(remarks, options.isAsPrinted)) {
      span.first ??= batch[0];
      span.last = batch.at(-1) ?? span.last;
      yield batch.filter((write) => {
        const process = write.pid ?? write.tid;
        if (process !== undefined && remarks.processes.size < MOST_NAMED) remarks.processes.add(process);
        remarks.hasService ||= process !== undefined && overview.fds.has(process);
        if (isOnRecordedDescriptor(overview, write)) return true;
        if (isStrict && window === null) add({ kind: 'extra', write });
        return false;
      });
    }
  }

  async function* observableCalls(): AsyncGenerator<RecordedCall[]> {
    let isAfterHole = false;
    for await (const batch of read()) {
      const calls: RecordedCall[] = [];
      for (const call of batch) {
        if (!judged.has(call.run)) continue;
        isAfterHole ||= call.isAfterHole;
        const [ring] = overview.rings.get(call.pid) ?? [];
        const isEnter = call.level === 'uring' && trace.hasEnters && ring !== undefined;
        if (!isEnter && reasonOf(trace.format, call.level) !== undefined) {
          const { enters } = trace.format;
          addUnobservable(call, hasEnter(call) && enters ? `: ${enters}` : '');
          continue;
        }
        call.isAfterHole = isAfterHole;
        isAfterHole = false;
        calls.push(isEnter ? asEnter(call, ring) : call);
      }
      yield calls;
    }
  }

  const sides = { calls: lookAhead(observableCalls()), writes: lookAhead(comparableWrites()), clock };
  await align(sides, places.take);
  places.end();
  report.isOutOfOrder = remarks.isOutOfOrder;
  report.notes = [...notesOf(report, runs, overview, remarks, trace.looksLike), ...opinions.notes()];
  return report;
}

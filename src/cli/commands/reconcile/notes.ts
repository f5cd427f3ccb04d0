// The notes of a report: one sentence each about what was not compared, and why.
import type { Format } from './formats/format.js';
import type { LineCount, Remarks } from './remarks.js';
import type { Report } from './report.js';
import type { Overview, Run } from './runs.js';
import { NEVER_ATTACHED } from './trace-file.js';

/** The most runs that notes name. */
const MOST_NAMED = 10;

/** Returns the start of a sentence: `3 lines of the trace (4, 17, 20)`. */
const numbered = ({ count, first }: LineCount): string =>
  `${count} line${count === 1 ? '' : 's'} of the trace (${first.join(', ')}${count > first.length ? ', …' : ''})`;

const records = (count: number): string => `${count} record${count === 1 ? '' : 's'}`;

const timeOf = (ms: number): string => new Date(ms).toISOString();

const processesOf = (pids: Iterable<number>): string => [...pids].join(', ');

/** Returns the notes about the runs that are not judged. */
function runNotes(runs: readonly Run[], judged: readonly Run[]): string[] {
  const others = runs.filter((run) => !judged.includes(run));
  const named = others
    .slice(0, MOST_NAMED)
    .map(
      ({ count, pids, first, last }) =>
        `the trace does not cover another run of the service, process ${processesOf(pids)} from ${timeOf(first)} to ${timeOf(last)}: its ${records(count)} are not judged`,
    );
  const more = others.length - named.length;
  return more > 0 ? [...named, `${more} more runs are not judged`] : named;
}

function holeNotes({ runs }: Overview, unrecorded: number): string[] {
  const notes = runs.flatMap(({ holes, holeCount }) => {
    const named = holes.map(
      ({ from, to }) => `records ${from} to ${to} are gone: what was traced of those calls is not judged`,
    );
    return holeCount > holes.length ? [...named, `${holeCount - holes.length} more ranges of records are gone`] : named;
  });
  if (unrecorded > 0)
    notes.push(
      unrecorded === 1
        ? '1 traced write is where records are gone, and does not count as extra'
        : `${unrecorded} traced writes are where records are gone, and do not count as extra`,
    );
  return notes;
}

/** @param looksLike the format that the trace shows, if another one was given */
export function notesOf(
  report: Report,
  runs: readonly Run[],
  overview: Overview,
  remarks: Remarks,
  looksLike: Format | undefined,
): string[] {
  const { unreadable, foreign, lost, lines, writes, processes, hasService } = remarks;
  const { notWatched, outside, unrecorded } = report.apart;
  const notes: string[] = [];
  const known = [...overview.fds.keys()];
  if (lines === 0) notes.push(`the trace is empty: ${NEVER_ATTACHED}`);
  else if (writes === 0 && looksLike)
    notes.push(
      `the trace has no write that --format ${report.format.id} reads, and looks like one of ${looksLike.title}: leave --format out, or give --format ${looksLike.id}`,
    );
  else if (writes === 0) notes.push(`the trace has no write: ${NEVER_ATTACHED}`);
  else if (processes.size > 0 && !hasService)
    notes.push(
      `the records are of process ${processesOf(known)}, but the trace has only process ${processesOf(processes)}: trace the service itself`,
    );
  notes.push(...runNotes(runs, overview.runs));
  if (unreadable.count > 0)
    notes.push(`${numbered(unreadable)} could not be read; calls that they tell of count as missing`);
  if (foreign.count > 0) notes.push(`${numbered(foreign)} are not of ${report.format.title}, and are left out`);
  if (report.withoutResult > 0)
    notes.push(
      `the trace has no result of ${report.withoutResult} matched call${report.withoutResult === 1 ? '' : 's'}: only what they asked for was compared`,
    );
  if (lost > 0) notes.push(`the tracer itself says that it lost ${lost} events`);
  notes.push(...holeNotes(overview, unrecorded));
  if (notWatched > 0)
    notes.push(`${records(notWatched)} before the tracer's first event or after its last: not watched`);
  if (outside > 0) notes.push(`${records(outside)} outside of the window: not judged`);
  for (const [why, count] of report.unobservable) notes.push(`${count} at level ${why}`);
  return notes;
}

// Judges a trace by records: chooses the runs that the trace covers, and the order of its lines, where the input leaves
// them open.
import { UsageError } from '../../command.js';
import { isEpoch } from './clock.js';
import { compare, type Options } from './compare.js';
import type { Records } from './records.js';
import { createRemarks } from './remarks.js';
import { differencesOf, type Report } from './report.js';
import type { Run } from './runs.js';
import { NEVER_ATTACHED, type Trace } from './trace-file.js';

/** Where only the writes themselves show which run a trace covers, so many runs are tried one by one. */
const MOST_TRIED = 8;
/** Clocks of one machine, in ms: a write that was made so long before a run or after it may still be of the run. */
const MARGIN = 1000;

/** A set of runs, by their places. */
type Places = ReadonlySet<number>;

/** Returns by how many ms a time is outside of a run. */
const distanceTo = ({ first, last }: Run, time: number): number => Math.max(0, first - time, time - last);

/**
 * Returns the runs with writes in the trace: by process, descriptor and time, and by the first two alone. By time, a write
 * is one of the nearest run only: a service that is started again at once may have the same process id.
 */
async function findCovered(trace: Trace, runs: readonly Run[]): Promise<{ byTime: Places; byProcess: Places }> {
  const byTime = new Set<number>();
  const byProcess = new Set<number>();
  for await (const batch of trace.read(createRemarks())) {
    for (const { pid, tid, fd, time } of batch) {
      const process = pid ?? tid;
      let nearest: number[] = [];
      let least = MARGIN;
      for (const [place, run] of runs.entries()) {
        const { fds } = run;
        const isOn = process === undefined ? [...fds.values()].some((one) => one.has(fd)) : fds.get(process)?.has(fd);
        if (!isOn) continue;
        byProcess.add(place);
        if (time === undefined || !isEpoch(time)) continue;
        const distance = distanceTo(run, time);
        if (distance > least) continue;
        // Two services may append to one file at the same time.
        nearest = distance < least ? [place] : [...nearest, place];
        least = distance;
      }
      for (const place of nearest) byTime.add(place);
    }
  }
  return { byTime, byProcess };
}

/** Returns the sets of runs that the trace may cover. */
async function chooseRuns(trace: Trace, runs: readonly Run[]): Promise<Places[]> {
  const all = new Set(runs.keys());
  if (runs.length === 1) return [all];
  const { byTime, byProcess } = await findCovered(trace, runs);
  if (byTime.size > 0) return [byTime];
  if (byProcess.size === 0) return [all];
  const pids = [...byProcess].flatMap((place) => [...(runs[place] as Run).pids]);
  // In a container each run has the same process id.
  const isClear = new Set(pids).size === pids.length || byProcess.size > MOST_TRIED;
  return isClear ? [byProcess] : [byProcess, ...[...byProcess].map((place) => new Set([place]))];
}

/** @throws UsageError if the trace or the records cannot be used */
export async function judge(
  trace: Trace,
  records: Records,
  flags: Omit<Options, 'judged' | 'isAsPrinted'>,
): Promise<Report> {
  let best: Report | undefined;
  async function tryOut(judged: Places, isAsPrinted: boolean): Promise<void> {
    const report = await compare(trace, records, { ...flags, judged, isAsPrinted });
    if (!best || differencesOf(report) < differencesOf(best)) best = report;
  }
  for (const judged of await chooseRuns(trace, records.runs)) {
    await tryOut(judged, false);
    const report = best as Report | undefined;
    // Lines that are not in the order of their times may be so because the clock was set back.
    if (trace.format.isUnordered && report?.isOutOfOrder && differencesOf(report) > 0) await tryOut(judged, true);
  }
  const report = best as Report | undefined;
  if (!report) throw new UsageError('there are no records');
  if (
    flags.window &&
    report.apart.outside === report.runs.reduce((sum, run) => sum + (run.isJudged ? run.records : 0), 0)
  )
    throw new UsageError(
      `no record is in the window of --since, --until and --request-id: the records are ${records.runs.map(({ firstSeq, lastSeq, first, last }) => `${firstSeq} to ${lastSeq}, made from ${new Date(first).toISOString()} to ${new Date(last).toISOString()}`).join('; ')}`,
    );
  const { matched, missing, altered, extra } = report.counts;
  if (report.apart.notWatched > 0 && matched + missing + altered + extra === 0)
    throw new UsageError(
      `with --attached there is nothing to compare: none of the ${report.apart.notWatched} records lies between the tracer's first event and its last. If it should have seen the service: ${NEVER_ATTACHED}`,
    );
  return report;
}

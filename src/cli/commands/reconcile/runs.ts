// The runs of the service that records are of. A file that is appended to has several: each start of the service numbers
// its records from 1. Within a run the numbers have no holes, unless a file was rotated, truncated or filtered.
import type { Gap } from '../../../protocol/records.js';
import type { RecordedCall, RunLine } from './record-line.js';
import { hasEnter } from './uring.js';

/** The facts about the records of a run that the comparison needs before it reads the first. */
export type Run = {
  /** Its name, if the records have the line that begins it. */
  id: string | null;
  pids: Set<number>;
  /** The descriptors of each process. */
  fds: Map<number, Set<number>>;
  /** The descriptors of io_uring that a witness saw, of each process. */
  rings: Map<number, Set<number>>;
  count: number;
  firstSeq: number;
  lastSeq: number;
  /** The start of the first call and the end of the last, in milliseconds since 1970. */
  first: number;
  last: number;
  /** The first numbers that are gone, and the count of such ranges. */
  holes: Gap[];
  holeCount: number;
  /** May there be records after the last one? True if they are gone, or the line that ends the run is. */
  isOpenEnded: boolean;
};

/** The most holes of a run that are named. */
const MOST_HOLES = 10;

export type RunTracker = {
  runs: Run[];
  /** Takes the next line. @returns a record, with its run */
  take: (value: RecordedCall | Gap | RunLine) => RecordedCall | undefined;
};

function addTo(fds: Map<number, Set<number>>, pid: number, fd: number): void {
  const known = fds.get(pid);
  if (known) known.add(fd);
  else fds.set(pid, new Set([fd]));
}

const createRun = (id: string | null): Run => ({
  id,
  pids: new Set(),
  fds: new Map(),
  rings: new Map(),
  count: 0,
  firstSeq: Number.POSITIVE_INFINITY,
  lastSeq: 0,
  first: Number.POSITIVE_INFINITY,
  last: Number.NEGATIVE_INFINITY,
  holes: [],
  holeCount: 0,
  isOpenEnded: id !== null,
});

function addHole(run: Run, from: number, to: number): void {
  run.holeCount += 1;
  if (run.holes.length < MOST_HOLES) run.holes.push({ type: 'gap', from, to });
}

/** Adds a record to the facts about its run. */
function addCall(run: Run, call: RecordedCall): void {
  const { pid, fd, seq, time, end } = call;
  run.pids.add(pid);
  addTo(run.fds, pid, fd);
  if (hasEnter(call)) for (const enter of call.witness?.calls ?? []) addTo(run.rings, pid, enter.fd);
  run.count += 1;
  run.firstSeq = Math.min(run.firstSeq, seq);
  run.first = Math.min(run.first, time);
  run.last = Math.max(run.last, end);
}

/** Sorts lines into runs. A file without the lines that begin runs has one for each process, and for each new start. */
export function createRunTracker(): RunTracker {
  const runs: Run[] = [];
  /** The run that has begun, which has no record yet. */
  let begun: Run | undefined;
  /** The run of the last line, and the last run of each process. */
  let current: Run | undefined;
  const byProcess = new Map<number, Run>();
  /** The last number that a gap says is gone, if no record came after it. */
  let isAfterGap = false;

  function runOf({ pid, seq }: RecordedCall): Run {
    const known = begun ? undefined : current?.pids.has(pid) ? current : byProcess.get(pid);
    const run = known && (known.id !== null || seq > known.lastSeq) ? known : (begun ?? createRun(null));
    if (run !== known) runs.push(run);
    begun = undefined;
    current = run;
    byProcess.set(pid, run);
    return run;
  }

  return {
    runs,
    take(value) {
      if ('seq' in value) {
        const run = runOf(value);
        value.run = runs.indexOf(run);
        value.isAfterHole = isAfterGap || value.seq > run.lastSeq + 1;
        if (value.seq > run.lastSeq + 1) addHole(run, run.lastSeq + 1, value.seq - 1);
        isAfterGap = false;
        run.lastSeq = Math.max(run.lastSeq, value.seq);
        run.isOpenEnded = run.id !== null;
        addCall(run, value);
        return value;
      }
      const run = begun ?? current;
      // A file that was rotated begins with the line of the run that goes on.
      if (value.type === 'hello') {
        const known = runs.find(({ id }) => id === value.run);
        begun = known ? undefined : createRun(value.run);
        current = known ?? current;
      } else if (value.type === 'gap' && run) {
        addHole(run, value.from, value.to);
        run.lastSeq = Math.max(run.lastSeq, value.to);
        run.isOpenEnded = true;
        isAfterGap = true;
      } else if (value.type === 'gap') {
        begun = createRun(null);
        addHole(begun, value.from, value.to);
        begun.lastSeq = value.to;
        isAfterGap = true;
      } else if (value.type === 'end' && run) {
        run.isOpenEnded = value.last > run.lastSeq;
        if (run.isOpenEnded) addHole(run, run.lastSeq + 1, value.last);
      }
      return undefined;
    },
  };
}

/** The facts about several runs together. */
export type Overview = Pick<Run, 'fds' | 'rings' | 'isOpenEnded'> & {
  runs: Run[];
  /** The start of the first call and the end of the last of each run, by its place. */
  spans: Map<number, { first: number; last: number }>;
};

/** Returns the facts about some of the runs. */
export function overviewOf(all: readonly Run[], isJudged: (run: number) => boolean): Overview {
  const overview: Overview = { runs: [], fds: new Map(), rings: new Map(), isOpenEnded: false, spans: new Map() };
  for (const [place, run] of all.entries()) {
    if (!isJudged(place)) continue;
    overview.runs.push(run);
    overview.isOpenEnded = run.isOpenEnded;
    overview.spans.set(place, { first: run.first, last: run.last });
    for (const name of ['fds', 'rings'] as const)
      for (const [pid, fds] of run[name]) for (const fd of fds) addTo(overview[name], pid, fd);
  }
  return overview;
}

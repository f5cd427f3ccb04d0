// syswire reconcile TRACE RECORDS: holds what a tracer saw of the service against the service's own
// records. How a traced write and a record find each other is told in align.ts.

import { type Command, UsageError } from '../../command.js';
import { parseFlags } from '../../flags.js';
import { align, type Finding } from './align.js';
import { createClock } from './clock.js';
import type { Recorded } from './explain.js';
import { lookAhead, readFileLines } from './lines.js';
import { type Overview, openRecords } from './records.js';
import { describe, type Report, toDetail } from './report.js';
import { FORMATS, type Format, formatOf, READERS, type Traced } from './traces.js';

const HELP = `syswire reconcile TRACE RECORDS: holds what a tracer saw of the service against its records

  TRACE            what the tracer wrote; - reads it from stdin
  RECORDS          a file that --record wrote, or the address of a running service (http://…)
  --format FORMAT  ${FORMATS.join(', ')}; guessed from the first lines when not given
  --strict         judges every traced write, not only those on the descriptors that the records name,
                   from the first record to the last
  --json           the report as JSON; with up to 1000 differences
  --token TOKEN    for the service, or SYSWIRE_TOKEN

exit: 0 every record was seen as it is and nothing else, 1 there are differences, 2 unusable input,
      3 no answer from the service`;

/** The levels whose calls a tracer of a format cannot see, and why. */
const UNSEEN: Record<Format, Record<string, string>> = {
  strace: { uring: 'is no write system call' },
  ndjson: { uring: 'is no write system call' },
  bpftrace: { uring: 'is no write system call', int80: 'does not pass the sys_enter_write tracepoint' },
  perf: { uring: 'is no write system call', int80: 'does not pass the sys_enter_write tracepoint' },
};

/** Lines from whose first one the format is guessed. */
const GUESS_LINES = 1000;
/** Lines that bpftrace may have in the wrong order: each CPU has a buffer of its own, emptied in turn. */
const DISORDER = 8192;
/** How long before the first record and after the last a write is still theirs, in ms: clocks differ. */
const MARGIN = 10;

type Options = {
  trace: string;
  records: string;
  format: Format | undefined;
  strict: boolean;
  json: boolean;
  token: string | undefined;
};

function parse(args: string[], env: NodeJS.ProcessEnv): Options | 'help' {
  const { values, positionals } = parseFlags({
    args,
    options: {
      format: { type: 'string' },
      strict: { type: 'boolean' },
      json: { type: 'boolean' },
      token: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help) return 'help';
  const [trace, records, ...more] = positionals;
  if (trace === undefined || records === undefined || more.length > 0)
    throw new UsageError('a trace and records are needed: syswire reconcile TRACE RECORDS');
  const format = FORMATS.find((known) => known === values.format);
  if (values.format !== undefined && !format)
    throw new UsageError(`--format ${values.format}: must be one of ${FORMATS.join(', ')}`);
  return {
    trace,
    records,
    format,
    strict: values.strict ?? false,
    json: values.json ?? false,
    token: values.token ?? (env.SYSWIRE_TOKEN || undefined),
  };
}

/** Batches of lines, the format told from the first of them where it is not given. */
async function open(
  trace: string,
  given: Format | undefined,
): Promise<{ format: Format; batches: AsyncGenerator<string[]> }> {
  const name = trace === '-' ? 'standard input' : trace;
  const source = readFileLines(trace);
  const read: string[][] = [];
  let format = given;
  for (let lines = 0; !format && lines < GUESS_LINES; ) {
    const { value, done } = await source.next();
    if (done) break;
    read.push(value);
    lines += value.length;
    for (const line of value) format ??= formatOf(line);
  }
  if (!format)
    throw new UsageError(
      read.length === 0
        ? `${name} is empty: say what it is with --format, if that is right`
        : `${name}:1 is of no trace that is known: say what it is with --format ${FORMATS.join('|')}`,
    );
  async function* batches(): AsyncGenerator<string[]> {
    yield* read;
    yield* source;
  }
  return { format, batches: batches() };
}

/** The same writes in the order of their times, where none is further from its place than DISORDER. */
async function* inOrder(batches: AsyncGenerator<Traced[]>): AsyncGenerator<Traced[]> {
  let held: Traced[] = [];
  for await (const batch of batches) {
    held.push(...batch);
    if (held.length < 2 * DISORDER) continue;
    held.sort((a, b) => (a.time ?? 0) - (b.time ?? 0));
    yield held.slice(0, -DISORDER);
    held = held.slice(-DISORDER);
  }
  yield held.sort((a, b) => (a.time ?? 0) - (b.time ?? 0));
}

/** What is said of a trace besides its writes. */
type Remarks = { torn: number; lost: number; lines: number; processes: Set<number> };

async function* readTrace(
  name: string,
  batches: AsyncGenerator<string[]>,
  format: Format,
  remarks: Remarks,
): AsyncGenerator<Traced[]> {
  const reader = READERS[format]();
  let isOfFormat = false;
  for await (const lines of batches) {
    const writes: Traced[] = [];
    for (const line of lines) {
      remarks.lines += 1;
      if (line.trim() === '') continue;
      const said = reader(line);
      if (said === 'torn') remarks.torn += 1;
      else if (said === 'bad') {
        // What the traced program itself printed may be among strace's lines, but not make up the trace.
        if (format === 'ndjson' || !isOfFormat)
          throw new UsageError(`${name}:${remarks.lines} is no line of a trace of the format ${format}`);
      } else if (said !== null && 'lost' in said) remarks.lost += said.lost;
      else if (said !== null) writes.push({ ...said, line: remarks.lines });
      if (said !== 'bad') isOfFormat = true;
    }
    yield writes;
  }
}

/** Whether a traced write is on a descriptor that the records name, by one of their processes. */
function isNamed({ fds }: Overview, { pid, tid, fd }: Traced): boolean {
  // Where a tracer tells threads only, it is the one that makes the calls, whose id is the process's.
  const process = pid ?? tid;
  if (process !== undefined) return fds.get(process)?.has(fd) ?? false;
  return [...fds.values()].some((of) => of.has(fd));
}

function notes(report: Report, overview: Overview, { torn, lost, lines, processes }: Remarks): string[] {
  const said: string[] = [];
  const known = [...overview.fds.keys()];
  if (lines === 0) said.push('the trace is empty');
  else if (processes.size > 0 && !known.some((pid) => processes.has(pid)))
    said.push(
      `the trace has nothing of process ${known.join(', ')}, whose records these are, but of ${[...processes].join(', ')}`,
    );
  if (torn > 0)
    said.push(`${torn} torn lines of the trace could not be read; calls that they tell of count as missing`);
  if (lost > 0) said.push(`the tracer itself says that it lost ${lost} events`);
  for (const { from, to } of overview.gaps.slice(0, 10))
    said.push(`records ${from} to ${to} are gone (a gap): what was traced of those calls counts as extra`);
  for (const [level, count] of Object.entries(report.unseen))
    said.push(`${count} at level ${level}, which ${UNSEEN[report.format][level]}`);
  return said;
}

async function compare(options: Options, overview: Overview, read: () => AsyncGenerator<Recorded[]>): Promise<Report> {
  const { format, batches } = await open(options.trace, options.format);
  const report: Report = {
    format,
    counts: { matched: 0, missing: 0, altered: 0, extra: 0, unobservable: 0 },
    details: [],
    leftOut: 0,
    unseen: {},
    notes: [],
  };
  const remarks: Remarks = { torn: 0, lost: 0, lines: 0, processes: new Set() };
  const clock = createClock();

  function tell(finding: Finding): void {
    report.counts[finding.kind] += 1;
    if (finding.kind === 'matched') return;
    const detail = toDetail(finding);
    if (detail) report.details.length < 1000 ? report.details.push(detail) : report.leftOut++;
  }

  /** Whether the records cover the time of a traced write; yes where its time says nothing. */
  function isCovered(seen: Traced): boolean {
    const time = clock.timeOf(seen);
    return time === undefined || (time >= overview.first - MARGIN && time <= overview.last + MARGIN);
  }

  async function* judged(): AsyncGenerator<Traced[]> {
    const name = options.trace === '-' ? 'standard input' : options.trace;
    const writes = readTrace(name, batches, format, remarks);
    for await (const batch of format === 'bpftrace' ? inOrder(writes) : writes) {
      yield batch.filter((seen) => {
        const process = seen.pid ?? seen.tid;
        if (process !== undefined && remarks.processes.size < 10) remarks.processes.add(process);
        if (isNamed(overview, seen)) return true;
        if (options.strict) tell({ kind: 'extra', seen });
        return false;
      });
    }
  }

  async function* observable(): AsyncGenerator<Recorded[]> {
    for await (const batch of read()) {
      yield batch.filter(({ level }) => {
        if (!(level in UNSEEN[format])) return true;
        report.counts.unobservable += 1;
        report.unseen[level] = (report.unseen[level] ?? 0) + 1;
        return false;
      });
    }
  }

  await align(lookAhead(observable()), lookAhead(judged()), clock, (finding) => {
    if (finding.kind !== 'extra' || options.strict || isCovered(finding.seen)) tell(finding);
  });
  report.notes = notes(report, overview, remarks);
  return report;
}

export const reconcile: Command = async ({ args, env, print }) => {
  const options = parse(args, env);
  if (options === 'help') {
    print(HELP);
    return 0;
  }
  const { overview, read, close } = await openRecords(options.records, options.token);
  try {
    const report = await compare(options, overview, read);
    const { counts, details, leftOut } = report;
    print(options.json ? JSON.stringify({ ...counts, details, leftOut, notes: report.notes }) : describe(report));
    return counts.missing + counts.altered + counts.extra > 0 ? 1 : 0;
  } finally {
    close();
  }
};

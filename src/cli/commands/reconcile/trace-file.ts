// A trace, read as batches of writes, in the order in which the calls were made.
import { UsageError } from '../../command.js';
import { ENTER, type Format, type TracedWrite } from './formats/format.js';
import { isJson, ndjson } from './formats/ndjson.js';
import { FORMAT_IDS, formatOf } from './formats/table.js';
import { readFileLines } from './lines.js';
import { copyLines, isRegularFile, writeTemporary } from './temporary-file.js';

/** The format is guessed from the first one of these lines that shows it. */
const GUESS_LINES = 1000;
/** bpftrace may print so many lines in the wrong order: each CPU has its own buffer, and they are emptied in turn. */
const DISORDER = 8192;

/** The likely reason of a trace without lines. */
export const NEVER_ATTACHED = 'the tracer probably never attached, so start it before the calls are made';

/** The facts about a trace besides its writes, known when it has been read. */
export type Remarks = {
  /** Lines that are or should be writes, and could not be read. */
  unreadable: LineCount;
  /** Lines of other programs, or of the tracer to its user. */
  foreign: LineCount;
  lost: number;
  lines: number;
  processes: Set<number>;
};

/** A number of lines, and the numbers of the first ones. */
export type LineCount = { count: number; first: number[] };
const MOST_NUMBERS = 10;

function addLine(lines: LineCount, line: number): void {
  lines.count += 1;
  if (lines.first.length < MOST_NUMBERS) lines.first.push(line);
}

/** Returns the facts about a trace of which nothing is read yet. */
export const createRemarks = (): Remarks => ({
  unreadable: { count: 0, first: [] },
  foreign: { count: 0, first: [] },
  lost: 0,
  lines: 0,
  processes: new Set(),
});

export type Trace = {
  format: Format;
  /** Does it have an io_uring_enter? False if that was not asked for. */
  hasEnters: boolean;
  /** Yields the writes, and io_uring_enter where that was asked for, and fills in `remarks` except for `processes`. */
  read: (remarks: Remarks) => AsyncGenerator<TracedWrite[]>;
  close: () => void;
};

async function guessFormat(name: string, batches: AsyncGenerator<string[]>, consumed: string[][]): Promise<Format> {
  for (let lines = 0; lines < GUESS_LINES; ) {
    const { value, done } = await batches.next();
    if (done) break;
    consumed.push(value);
    lines += value.length;
    for (const line of value) {
      const format = formatOf(line);
      if (format) return format;
    }
  }
  // JSON of an unknown kind: the reader of NDJSON says which fields it lacks.
  if (consumed.some((lines) => lines.some(isJson))) return ndjson;
  throw new UsageError(
    consumed.length === 0
      ? `${name} is empty: ${NEVER_ATTACHED}; if the service made no call, give the format with --format`
      : `the format of ${name} is not recognized from its first lines: give it with --format ${FORMAT_IDS.join('|')}`,
  );
}

async function* readWrites(
  name: string,
  batches: AsyncIterable<string[]>,
  format: Format,
  hasEnters: boolean,
  remarks: Remarks,
): AsyncGenerator<TracedWrite[]> {
  const read = format.reader();
  let isOfFormat = false;
  const noLine = (line: number): UsageError =>
    new UsageError(`${name}:${line} is not a line of a ${format.id} trace: check the file, or give another --format`);
  for await (const lines of batches) {
    const writes: TracedWrite[] = [];
    for (const line of lines) {
      remarks.lines += 1;
      if (line.trim() === '') continue;
      const content = read(line);
      if (content === 'unreadable') addLine(remarks.unreadable, remarks.lines);
      else if (content === 'foreign') {
        // The traced program may print among strace's lines; a trace has lines of its format besides.
        if (format.isStrict || (!isOfFormat && remarks.foreign.count === GUESS_LINES)) throw noLine(remarks.lines);
        addLine(remarks.foreign, remarks.lines);
      } else if (content !== null && 'refused' in content)
        throw new UsageError(`${name}:${remarks.lines}: ${content.refused}`);
      else if (content !== null && 'lost' in content) remarks.lost += content.lost;
      else if (content !== null && (hasEnters || content.name === 'write'))
        writes.push({ ...content, line: remarks.lines });
      if (content !== 'foreign') isOfFormat = true;
    }
    yield writes;
  }
  const [first] = remarks.foreign.first;
  if (!isOfFormat && first !== undefined) throw noLine(first);
}

/** Sorts writes by time, if none is further from its place than DISORDER. */
async function* sortByTime(batches: AsyncIterable<TracedWrite[]>): AsyncGenerator<TracedWrite[]> {
  const byTime = (a: TracedWrite, b: TracedWrite): number => (a.time ?? 0) - (b.time ?? 0);
  let held: TracedWrite[] = [];
  for await (const batch of batches) {
    held.push(...batch);
    if (held.length < 2 * DISORDER) continue;
    held.sort(byTime);
    yield held.slice(0, -DISORDER);
    held = held.slice(-DISORDER);
  }
  yield held.sort(byTime);
}

/** Looks for the first io_uring_enter of a trace. */
async function findEnter(file: string, format: Format): Promise<boolean> {
  const read = format.reader();
  for await (const lines of readFileLines(file)) {
    for (const line of lines) {
      // Only these lines are read. A signal of the witness names the call too, so the name alone says nothing.
      const content = line.includes(ENTER) ? read(line) : null;
      if (content !== null && typeof content === 'object' && 'name' in content) return true;
    }
  }
  return false;
}

/** Opens a trace that can be read more than once, under the name that messages give it. */
async function openFile(
  file: string,
  name: string,
  given: Format | undefined,
  wantsEnters: boolean,
): Promise<Omit<Trace, 'close'>> {
  const batches = readFileLines(file);
  const consumed: string[][] = [];
  const format = given ?? (await guessFormat(name, batches, consumed));
  const hasEnters = wantsEnters && (await findEnter(file, format));
  async function* allBatches(): AsyncGenerator<string[]> {
    yield* consumed;
    yield* batches;
  }
  return {
    format,
    hasEnters,
    read(remarks) {
      const writes = readWrites(name, allBatches(), format, hasEnters, remarks);
      return format.isUnordered ? sortByTime(writes) : writes;
    },
  };
}

/**
 * Opens a trace.
 *
 * @param file `-` is standard input
 * @param given the format; guessed from the first lines if it is not given
 * @param wantsEnters read io_uring_enter too, if the trace has it. A trace from a pipe is copied first
 * @throws UsageError if it is unusable, here or while it is read
 */
export async function openTrace(file: string, given: Format | undefined, wantsEnters: boolean): Promise<Trace> {
  const name = file === '-' ? 'standard input' : file;
  // The comparison must know at its start if there is an io_uring_enter, so the trace is read twice.
  if (!wantsEnters || isRegularFile(file)) return { ...(await openFile(file, name, given, wantsEnters)), close() {} };
  const copy = await writeTemporary(copyLines(file));
  try {
    return { ...(await openFile(copy.file, name, given, wantsEnters)), close: copy.close };
  } catch (error) {
    copy.close();
    throw error;
  }
}

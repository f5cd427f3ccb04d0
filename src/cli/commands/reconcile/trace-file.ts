// A trace, read as batches of writes, in the order in which the calls were made.
import { realpathSync } from 'node:fs';
import { UsageError } from '../../command.js';
import { ENTER, type Format, type TracedWrite } from './formats/format.js';
import { isJson, ndjson } from './formats/ndjson.js';
import { FORMAT_IDS, formatOf } from './formats/table.js';
import { readFileLines } from './lines.js';
import type { Remarks } from './remarks.js';
import { copyLines, isRegularFile, writeTemporary } from './temporary-file.js';
import { readWrites, type Source } from './trace-lines.js';
import { mergeByTime, sortByTime } from './trace-order.js';

/** The format is guessed from the first one of these lines that shows it. */
const GUESS_LINES = 1000;

/** The first bytes of files that a tracer keeps for itself, and the command that prints them. */
const BINARY: readonly [begin: string, words: string][] = [
  ['PERFILE2', 'perf record keeps, which only perf reads: give the output of perf script'],
  ['\x17\bDtracing', 'trace-cmd record keeps, which only trace-cmd reads: give the output of trace-cmd report -t'],
];

/** The likely reason of a trace without lines, and the ways to find it. */
export const NEVER_ATTACHED =
  'the tracer probably never attached: see if it printed an error, if it may trace (as root, or with 0 in /proc/sys/kernel/yama/ptrace_scope), and if its process is the one that GET /health shows; start it before the calls are made';

export type Trace = {
  format: Format;
  /** The format that its first lines show, if another one was given. */
  looksLike: Format | undefined;
  /** Does it have an io_uring_enter? False if that was not asked for. */
  hasEnters: boolean;
  /**
   * Yields the writes, and io_uring_enter where that was asked for, and fills in `remarks` except for its processes.
   *
   * @param isAsPrinted leave the lines in the order of the file, though its format may print them in another
   */
  read: (remarks: Remarks, isAsPrinted?: boolean) => AsyncGenerator<TracedWrite[]>;
  close: () => void;
};

function isRefused(line: string): boolean {
  const content = ndjson.reader()(line);
  return content !== null && typeof content === 'object' && 'refused' in content;
}

/** Returns the format that the first lines of a file show; `empty` if it has none, undefined if they show none. */
async function guessFormat({ file, name }: Source): Promise<Format | 'empty' | undefined> {
  let count = 0;
  let hasJson = false;
  for await (const lines of readFileLines(file)) {
    for (const line of lines) {
      if (line.trim() !== '') count += 1;
      const binary = BINARY.find(([begin]) => line.startsWith(begin));
      if (binary) throw new UsageError(`${name} is what ${binary[1]}`);
      const format = formatOf(line);
      // A program logs JSON among the lines of its tracer, and its errors have a "syscall".
      if (format && !(format === ndjson && isRefused(line))) return format;
      hasJson ||= isJson(line);
    }
    if (count >= GUESS_LINES) break;
  }
  // JSON of an unknown kind: the reader of NDJSON says which fields it lacks.
  if (hasJson) return ndjson;
  return count === 0 ? 'empty' : undefined;
}

/** Returns the one format of all files. @throws UsageError if none shows it, or if they differ */
async function findFormat(sources: Source[]): Promise<Format> {
  let found: { format: Format; name: string } | undefined;
  let unknown: string | undefined;
  for (const source of sources) {
    const format = await guessFormat(source);
    if (format === undefined) unknown ??= source.name;
    if (format === undefined || format === 'empty') continue;
    if (found && found.format !== format)
      throw new UsageError(
        `${found.name} is a ${found.format.id} trace and ${source.name} a ${format.id} trace: give the files of one tracer, and the records as the last`,
      );
    found ??= { format, name: source.name };
  }
  if (found) return found.format;
  const names = sources.map(({ name }) => name).join(', ');
  throw new UsageError(
    unknown === undefined
      ? `${names} ${sources.length > 1 ? 'are' : 'is'} empty: ${NEVER_ATTACHED}; if the service made no call, give the format with --format`
      : `the format of ${unknown} is not recognized from its first lines: give it with --format ${FORMAT_IDS.join('|')}`,
  );
}

/** Looks for the first io_uring_enter of a file. */
async function findEnter({ file }: Source, format: Format): Promise<boolean> {
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

async function hasEnter(sources: Source[], format: Format): Promise<boolean> {
  for (const source of sources) if (await findEnter(source, format)) return true;
  return false;
}

/**
 * Opens a trace. Its files are read more than once, so one that is a pipe is copied first.
 *
 * @param names the files; `-` is standard input
 * @param given the format; guessed from the first lines if it is not given
 * @param wantsEnters read io_uring_enter too, if the trace has it
 * @throws UsageError if it is unusable, here or while it is read
 */
export async function openTrace(names: string[], given: Format | undefined, wantsEnters: boolean): Promise<Trace> {
  const sources: Source[] = [];
  const closings: (() => void)[] = [];
  const close = (): void => {
    for (const one of closings) one();
  };
  try {
    const known = new Set<string>();
    for (const file of names) {
      const path = isRegularFile(file) ? realpathSync(file) : file;
      // Each of its calls would be extra once.
      if (known.has(path)) throw new UsageError(`${file} is given twice as a trace`);
      known.add(path);
      const name = file === '-' ? 'standard input' : file;
      if (isRegularFile(file)) sources.push({ file, name });
      else {
        const copy = await writeTemporary(copyLines(file));
        closings.push(copy.close);
        sources.push({ file: copy.file, name });
      }
    }
    const format = given ?? (await findFormat(sources));
    const shown = given && sources[0] ? await guessFormat(sources[0]) : undefined;
    const looksLike = shown === 'empty' || shown === format ? undefined : shown;
    const hasEnters = wantsEnters && (await hasEnter(sources, format));
    const isOneOfSeveral = sources.length > 1;
    return {
      format,
      looksLike,
      hasEnters,
      read(remarks, isAsPrinted = false) {
        const files = sources.map((source) => {
          const writes = readWrites(source, readFileLines(source.file), format, { hasEnters, isOneOfSeveral }, remarks);
          return format.isUnordered && !isAsPrinted ? sortByTime(writes) : writes;
        });
        return isOneOfSeveral ? mergeByTime(files) : (files[0] as AsyncGenerator<TracedWrite[]>);
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

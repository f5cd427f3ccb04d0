// The lines of one file of a trace, read as writes.
import { UsageError } from '../../command.js';
import type { Format, TracedWrite } from './formats/format.js';
import { addLine, type Remarks } from './remarks.js';

/** A file that can be read more than once, and the name that messages give it. */
export type Source = { file: string; name: string };

/** The most lines of other programs before the first of the format. */
const MOST_FOREIGN = 1000;

/** Returns the thread that `strace -ff -o trace` names a file by: `trace.12`. */
export function threadOf({ name }: Source): number | undefined {
  const digits = /\.(\d+)(?:\.gz)?$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * Yields the writes of a file.
 *
 * @param isOneOfSeveral places name the file, and lines without a thread are those of the thread in its name
 * @throws UsageError if it is not of the format
 */
export async function* readWrites(
  source: Source,
  batches: AsyncIterable<string[]>,
  format: Format,
  { hasEnters, isOneOfSeveral }: { hasEnters: boolean; isOneOfSeveral: boolean },
  remarks: Remarks,
): AsyncGenerator<TracedWrite[]> {
  const { name } = source;
  const read = format.reader(isOneOfSeveral ? threadOf(source) : undefined);
  const place = (line: number): string => (isOneOfSeveral ? `${name}:${line}` : String(line));
  const noLine = (line: number): UsageError =>
    new UsageError(`${name}:${line} is not a line of a ${format.id} trace: check the file, or give another --format`);
  let number = 0;
  let firstForeign: number | undefined;
  let isOfFormat = false;
  let latest = Number.NEGATIVE_INFINITY;
  for await (const lines of batches) {
    const writes: TracedWrite[] = [];
    for (const line of lines) {
      number += 1;
      if (line.trim() === '') continue;
      const content = read(line);
      if (content === 'unreadable') addLine(remarks.unreadable, place(number));
      else if (content === 'foreign') {
        // The traced program may print among strace's lines; a trace has lines of its format besides.
        if (format.isStrict || (!isOfFormat && number > MOST_FOREIGN)) throw noLine(number);
        addLine(remarks.foreign, place(number));
        firstForeign ??= number;
      } else if (content !== null && 'refused' in content)
        throw new UsageError(`${name}:${number}: ${content.refused}`);
      else if (content !== null && 'lost' in content) remarks.lost += content.lost;
      else if (content !== null && (hasEnters || content.name === 'write')) {
        if (content.time !== undefined) {
          remarks.isOutOfOrder ||= content.time < latest;
          latest = content.time;
        }
        // Not by a spread: a copy of each of a million writes costs more than to read it.
        const write = content as TracedWrite;
        write.line = number;
        if (isOneOfSeveral) write.file = name;
        writes.push(write);
      }
      if (content !== 'foreign') isOfFormat = true;
    }
    remarks.lines += lines.length;
    remarks.writes += writes.length;
    yield writes;
  }
  if (!isOfFormat && firstForeign !== undefined) throw noLine(firstForeign);
}

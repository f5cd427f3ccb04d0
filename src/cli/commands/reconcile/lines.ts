// Text as batches of lines, so that a file of any size is read in the same little memory. Files come as they are: packed
// by gzip, with a byte-order mark, with the line ends of a terminal or of Windows, with lines of megabytes.
import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UsageError } from '../../command.js';
import { readChunks } from '../../streams.js';

/** Of a longer line, in characters, the middle is left out. */
const LONGEST = 1 << 20;
/**
 * The characters that are kept at the start and at the end of such a line. The part between is a multiple of 12, so that
 * bytes in hex (2 or 3 characters each), octal or base64 go on as they began.
 */
const KEPT = 1 << 18;

/** https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1 */
const isGzip = (bytes: Buffer): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;
/** A file that PowerShell's `>` wrote. */
const isUtf16 = (bytes: Buffer): boolean => bytes[0] === 0xff && bytes[1] === 0xfe;
const BYTE_ORDER_MARK = '\ufeff';

/** Leaves out the middle of a line that is too long. */
function shorten(line: string): string {
  if (line.length <= LONGEST) return line;
  const between = line.length - 2 * KEPT;
  return line.slice(0, KEPT) + line.slice(KEPT + between - (between % 12));
}

/** Collects the parts of a line that spans many chunks (strace -s prints megabytes), as far as they are kept. */
function createLongLine() {
  let parts: string[] = [];
  let length = 0;
  const join = (): string => shorten(parts.join(''));
  return {
    add(part: string): void {
      parts.push(part);
      length += part.length;
      if (length <= 2 * LONGEST) return;
      parts = [join()];
      length = parts[0]?.length ?? 0;
    },
    /** Returns the line with its last part, and begins the next one. */
    take(last: string): string {
      parts.push(last);
      const line = join();
      parts = [];
      length = 0;
      return line;
    },
  };
}

/** Yields the text of a stream in chunks, unpacked and without a byte-order mark. */
async function* readText(stream: Readable): AsyncGenerator<string> {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let first = Buffer.alloc(0);
  let isDone = false;
  while (first.length < 2 && !isDone) {
    const { value, done } = await chunks.next();
    if (done) isDone = true;
    else first = Buffer.concat([first, value]);
  }
  async function* all(): AsyncGenerator<Buffer> {
    yield first;
    if (!isDone) yield* { [Symbol.asyncIterator]: () => chunks };
  }
  const plain = Readable.from(all(), { objectMode: false });
  // The reader of the last stream gets the errors of all.
  const text = isGzip(first) ? pipeline(plain, createGunzip(), () => {}) : plain;
  let isFirst = true;
  const encoding = isUtf16(first) ? 'utf16le' : 'utf8';
  for await (const chunk of text.setEncoding(encoding) as AsyncIterable<string>) {
    yield isFirst && chunk.startsWith(BYTE_ORDER_MARK) ? chunk.slice(1) : chunk;
    isFirst = false;
  }
}

/** A terminal, and Windows, end lines with CR LF. */
const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);

/** Yields the lines of a stream, as many at a time as a chunk has. The last one need not end with a newline. */
async function* readLines(stream: Readable, name: string): AsyncGenerator<string[]> {
  const begun = createLongLine();
  try {
    for await (const chunk of readText(stream)) {
      const end = chunk.lastIndexOf('\n');
      if (end < 0) begun.add(chunk);
      else {
        const lines = chunk.slice(0, end).split('\n');
        lines[0] = begun.take(lines[0] as string);
        yield chunk.includes('\r') || lines[0].endsWith('\r') ? lines.map(withoutReturn) : lines;
        begun.add(chunk.slice(end + 1));
      }
    }
  } catch (error) {
    throw new UsageError(`${name} cannot be read: ${(error as Error).message}`);
  }
  const rest = withoutReturn(begun.take(''));
  if (rest !== '') yield [rest];
}

/** Yields the lines of a file; `-` is standard input. @throws UsageError if it cannot be read */
export function readFileLines(path: string): AsyncGenerator<string[]> {
  return path === '-'
    ? readLines(Readable.from(readChunks(0), { objectMode: false }), 'standard input')
    : readLines(createReadStream(path), path);
}

// Text as batches of lines, so that a file of any size is read in the same little memory.
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { UsageError } from '../../command.js';
import { readChunks } from '../../streams.js';

/** Yields the lines of a stream, as many at a time as a chunk has. The last one need not end with a newline. */
async function* readLines(stream: Readable, name: string): AsyncGenerator<string[]> {
  // A line may span many chunks (strace -s prints megabytes): join them once, when the line ends.
  let begun: string[] = [];
  try {
    for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
      const end = chunk.lastIndexOf('\n');
      if (end < 0) begun.push(chunk);
      else {
        yield (begun.join('') + chunk.slice(0, end)).split('\n');
        begun = [chunk.slice(end + 1)];
      }
    }
  } catch (error) {
    throw new UsageError(`${name} cannot be read: ${(error as Error).message}`);
  }
  const rest = begun.join('');
  if (rest !== '') yield [rest];
}

/** Yields the lines of a file; `-` is standard input. @throws UsageError if it cannot be read */
export function readFileLines(path: string): AsyncGenerator<string[]> {
  return path === '-'
    ? readLines(Readable.from(readChunks(0), { objectMode: false }), 'standard input')
    : readLines(createReadStream(path), path);
}

// Text as batches of lines, so that a file of any size is read in the same little memory.
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { UsageError } from '../../command.js';

/** The lines of a stream, as many at a time as a chunk has; the last one need not end. */
async function* readLines(stream: Readable, name: string): AsyncGenerator<string[]> {
  // A line may span many chunks (strace -s prints megabytes): they are joined once, when it ends.
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

/** The lines of a file; `-` is standard input. */
export function readFileLines(path: string): AsyncGenerator<string[]> {
  return path === '-'
    ? readLines(createReadStream('', { fd: 0, autoClose: false }), 'standard input')
    : readLines(createReadStream(path), path);
}

/** What is still to come of a stream of batches, as far ahead as somebody asks for. */
export type Ahead<T> = {
  /** How many are at hand. */
  size: () => number;
  /** The one `index` from here, if it is at hand. */
  at: (index: number) => T | undefined;
  /** Brings at least `count` to hand, if there are so many. */
  fill: (count: number) => Promise<void>;
  /** Whether nothing comes after those at hand. */
  isLast: () => boolean;
  drop: (count: number) => void;
};

export function lookAhead<T>(batches: AsyncIterator<T[]>): Ahead<T> {
  let items: T[] = [];
  let head = 0;
  let done = false;
  const size = (): number => items.length - head;
  return {
    size,
    at: (index) => items[head + index],
    async fill(count) {
      while (!done && size() < count) {
        const next = await batches.next();
        if (next.done) {
          done = true;
          return;
        }
        items = items.slice(head);
        head = 0;
        for (const item of next.value) items.push(item);
      }
    },
    isLast: () => done,
    drop(count) {
      head += count;
    },
  };
}

// A copy of what can be read only once, in a file that can be read again.
import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { readFileLines } from './lines.js';

export type TemporaryFile = { file: string; close: () => void };

/** Can a file be read more than once? A pipe cannot. */
export const isRegularFile = (file: string): boolean => statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;

/** Copies text to a temporary file, which lasts until it is closed. */
export async function writeTemporary(text: AsyncIterable<string>): Promise<TemporaryFile> {
  const folder = mkdtempSync(path.join(tmpdir(), 'syswire-'));
  const file = path.join(folder, 'copy');
  const close = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    await pipeline(Readable.from(text), createWriteStream(file));
    return { file, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Yields the text of a file line by line, for writeTemporary(). @throws UsageError if it cannot be read */
export async function* copyLines(name: string): AsyncGenerator<string> {
  for await (const lines of readFileLines(name)) yield `${lines.join('\n')}\n`;
}

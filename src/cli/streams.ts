// Reads and writes the standard streams whole. Their other users may have made them non-blocking (O_NONBLOCK belongs to
// the pipe or terminal, not to the process: https://man7.org/linux/man-pages/man2/open.2.html), so a write may take a
// part of the bytes, or none for now (EAGAIN), and a read may have none yet.
import { fstatSync, read, readSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';

const RETRY_MS = 5;
const CHUNK_BYTES = 65_536;
const never = new Int32Array(new SharedArrayBuffer(4));
const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/**
 * Write every byte, and wait for room as a blocking descriptor would.
 *
 * @param patienceMs how long to wait for a reader that takes nothing
 * @returns the error that kept some of the bytes from being written, null if there is none
 */
export function writeAll(fd: number, bytes: Uint8Array, patienceMs = Infinity): NodeJS.ErrnoException | null {
  let rest = bytes;
  let lastRoom = performance.now();
  while (rest.length > 0) {
    let written = 0;
    let full: NodeJS.ErrnoException = Object.assign(new Error('EAGAIN: there is no room'), { code: 'EAGAIN' });
    try {
      // On Windows a full pipe accepts 0 bytes, without an error.
      written = writeSync(fd, rest);
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') return error as NodeJS.ErrnoException;
      full = error as NodeJS.ErrnoException;
    }
    if (written > 0) {
      rest = rest.subarray(written);
      lastRoom = performance.now();
    } else if (performance.now() - lastRoom >= patienceMs) return full;
    else Atomics.wait(never, 0, 0, RETRY_MS);
  }
  return null;
}

/** Read to the end, and wait for bytes that are not there yet. @throws what read(2) throws, except EAGAIN */
export function readAll(fd: number): Buffer {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    try {
      const length = readSync(fd, chunk, 0, chunk.length, null);
      if (length === 0) break;
      chunks.push(chunk.subarray(0, length));
    } catch (error) {
      // On Windows the end of a pipe is an error.
      if (codeOf(error) === 'EOF') break;
      if (codeOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(never, 0, 0, RETRY_MS);
    }
  }
  return Buffer.concat(chunks);
}

/** Reads once. Not by promisify(): importing node:util would touch process.stderr, see prepareToServe() in main.ts. */
const readOnce = (fd: number, chunk: Buffer): Promise<number> =>
  new Promise((resolve, reject) => {
    read(fd, chunk, 0, chunk.length, null, (error, bytesRead) => (error ? reject(error) : resolve(bytesRead)));
  });

/** Yield the chunks of a descriptor to its end, and wait for bytes that are not there yet. The event loop goes on. */
export async function* readChunks(fd: number): AsyncGenerator<Buffer> {
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    try {
      const bytesRead = await readOnce(fd, chunk);
      if (bytesRead === 0) return;
      yield chunk.subarray(0, bytesRead);
    } catch (error) {
      if (codeOf(error) === 'EOF') return;
      if (codeOf(error) !== 'EAGAIN') throw error;
      await sleep(RETRY_MS);
    }
  }
}

/**
 * Return a stream for a descriptor that is a file or a device other than a terminal, null for others. Node's own stream
 * for them drops what a write leaves over, on a disk that becomes full for example:
 * https://github.com/nodejs/node/blob/v20.x/lib/internal/fs/sync_write_stream.js
 */
export function fileStream(fd: number): NodeJS.WriteStream | null {
  const stats = fstatSync(fd);
  if (!stats.isFile() && !(stats.isCharacterDevice() && !isatty(fd))) return null;
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => done(writeAll(fd, chunk)),
  });
  return stream as NodeJS.WriteStream;
}

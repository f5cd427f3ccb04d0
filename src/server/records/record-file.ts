// --record FILE: writes every record to a file, as a line of JSON, so that records outlive the ring and the service.
import { closeSync, fstatSync, openSync, readSync, type Stats, statSync, writeSync } from 'node:fs';
import { openTarget, type Target } from '../../syscalls/targets/target.js';
import { createCursor, type Delivery } from './cursor.js';
import type { Journal } from './journal.js';
import { endLine, helloLine, type ServiceRun } from './run.js';

const BATCH_CHARS = 1 << 16;
const RETRY_MS = 1000;
/** The least time between two checks that the path still leads to the open file. */
const CHECK_MS = 1000;
/** The number of new records that are written at once. A burst waits for that write, so it cannot outrun the file. */
const MOST_NEW = 1024;

export type RecordFile = Target & {
  path: string;
  /** True if the last line has no newline, because the disk was full or the service was killed. */
  isCut: boolean;
};

export type Recording = {
  /** Writes the line that begins the run, if it is not written yet. */
  begin: () => void;
  /** Writes the records of all calls so far. If the file cannot be written, they wait. */
  flush: () => void;
  /** Opens the path again, and goes on in the file that it leads to now. */
  reopen: () => void;
  /** Writes the last records and the line that ends the run, and closes the file. */
  close: () => void;
};

/** Opens the record file to append to it. @throws an error with `code` when it cannot be opened */
export function openRecordFile(path: string): RecordFile {
  const target = openTarget('record', path);
  return { ...target, path, isCut: target.kind === 'file' && lastByte(path) !== '\n' };
}

/** Returns the last byte of a file; a newline if the file is empty, or cannot be read. */
function lastByte(path: string): string {
  const byte = Buffer.from('\n');
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const { size } = fstatSync(fd);
    if (size > 0) readSync(fd, byte, { position: size - 1 });
  } catch {
    // It may be a file that this user may only write.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return byte.toString('latin1');
}

/** Returns what a path leads to; undefined if it leads nowhere, or to where this process may not look. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Writes the rest of a batch as far as the file takes it. @returns the bytes taken @throws when it takes none */
function writeRest(fd: number, batch: Buffer, from: number): number {
  const taken = writeSync(fd, batch, from);
  // A full pipe does so on Windows, and a library that intercepts the call may do so anywhere.
  if (taken === 0) throw Object.assign(new Error('it takes no bytes now'), { code: 'EAGAIN' });
  return taken;
}

export type RecordOptions = {
  service: ServiceRun;
  journal: Journal;
  /** The counts to add to; a record is delivered when the file has all of it. */
  delivery: Delivery;
  /** Called for each new kind of error, and with null when the file can be written again. */
  onError: (error: NodeJS.ErrnoException | null) => void;
  /** Called when the path was opened again, with the reason; with an error when it could not be opened. */
  onReopened: (why: string, error: NodeJS.ErrnoException | null) => void;
};

/**
 * Writes the journal to a file. While the file cannot be written (a full disk), the records wait in the ring. If the
 * ring overwrites some of them, the file gets a `gap` with their range.
 */
export function recordTo(opened: RecordFile, options: RecordOptions): Recording {
  const { service, journal, delivery, onError, onReopened } = options;
  const read = { delivered: 0, lost: 0 };
  const cursor = createCursor(journal, { from: 1, delivery: read });
  let file = opened;
  /** The lines that are being written: `written` bytes of them are in the file. */
  let batch = firstLines();
  let written = 0;
  let failing: string | undefined;
  let retry: NodeJS.Timeout | undefined;
  /** The error with which the path could not be opened again. */
  let unopenable: string | undefined;
  /** The file's size at the last check. */
  let sizeSeen = 0;
  let nextCheck = 0;
  let hasBegun = false;
  let isOver = false;

  /** Returns what a file begins with in this run. */
  function firstLines(): Buffer {
    return Buffer.from(`${file.isCut ? '\n' : ''}${helloLine(service, journal)}\n`);
  }

  /** Begins a file: its first lines come before the ones that wait. */
  function beginFile(): void {
    // A line that the old file has only in part is written again, whole.
    const start = written === 0 ? 0 : batch.lastIndexOf('\n', written - 1) + 1;
    const rest = written === batch.length ? [] : [batch.subarray(start)];
    batch = Buffer.concat([firstLines(), ...rest]);
    written = 0;
  }

  /** Opens the path again. If that fails, the old file stays open. */
  function openAgain(why: string): void {
    const old = file;
    try {
      file = openRecordFile(old.path);
    } catch (cause) {
      const error = cause as NodeJS.ErrnoException;
      if (error.code !== unopenable) onReopened(why, error);
      unopenable = error.code;
      return;
    }
    old.close();
    unopenable = undefined;
    sizeSeen = 0;
    beginFile();
    onReopened(why, null);
  }

  /** Notices that the file was moved, removed or truncated. */
  function check(): void {
    if (file.kind !== 'file') return;
    const { dev, ino, size } = fstatSync(file.fd);
    const there = statsOf(file.path);
    if (there?.ino !== ino || there.dev !== dev) openAgain('the old one was moved or removed');
    else if (size < sizeSeen) {
      file.isCut = false;
      beginFile();
    }
    sizeSeen = fstatSync(file.fd).size;
  }

  function drain(): void {
    hasBegun = true;
    clearTimeout(retry);
    try {
      const now = performance.now();
      if (now >= nextCheck) {
        nextCheck = now + CHECK_MS;
        check();
      }
      for (;;) {
        if (written === batch.length) {
          delivery.delivered = read.delivered;
          const lines = cursor.read({ chars: BATCH_CHARS });
          delivery.lost = read.lost;
          if (lines.length === 0) break;
          batch = Buffer.from(`${lines.join('\n')}\n`);
          written = 0;
        }
        // Not more than there is: a library that intercepts the call may return such a count.
        written = Math.min(batch.length, written + writeRest(file.fd, batch, written));
      }
      if (failing) onError(null);
      failing = undefined;
    } catch (cause) {
      const error = cause as NodeJS.ErrnoException;
      if (error.code !== failing) onError(error);
      failing = error.code;
      // If no further call is made, the journal does not wake this reader again.
      retry = setTimeout(drain, RETRY_MS).unref();
    }
  }

  const unwatch = journal.watch(drain, Math.max(1, Math.min(MOST_NEW, journal.capacity >> 1)));
  return {
    begin() {
      if (!isOver) drain();
    },
    flush() {
      // While the file cannot be written, requests do not try again and again: the next turn and the timer do.
      if (!failing && !isOver) drain();
    },
    reopen() {
      if (isOver) return;
      if (file.kind === 'file') openAgain('SIGUSR1 asked for it');
      drain();
    },
    close() {
      if (isOver) return;
      isOver = true;
      unwatch();
      if (hasBegun || journal.next() > 1) drain();
      if (hasBegun && !failing) {
        batch = Buffer.from(`${endLine(service, journal)}\n`);
        written = 0;
        drain();
      }
      clearTimeout(retry);
      file.close();
    },
  };
}

// --record FILE: writes every record to a file, as a line of JSON, so that records outlive the ring and the service.
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { openTarget, type Target } from '../../syscalls/targets/target.js';
import { createCursor, type Delivery } from './cursor.js';
import type { Journal } from './journal.js';

const BATCH_CHARS = 1 << 16;
const RETRY_MS = 1000;
/** The number of new records that are written at once. A burst waits for that write, so it cannot outrun the file. */
const MOST_NEW = 1024;

export type RecordFile = Target & {
  /** True if the last line has no newline, because the disk was full or the service was killed. */
  isCut: boolean;
};

export type Recording = {
  /** Writes the records of all calls so far. If the file cannot be written, they wait. */
  flush: () => void;
  /** Writes the last records and closes the file. */
  close: () => void;
};

/** Opens the record file to append to it. @throws an error with `code` when it cannot be opened */
export function openRecordFile(path: string): RecordFile {
  const target = openTarget('record', path);
  return { ...target, isCut: target.kind === 'file' && lastByte(path) !== '\n' };
}

/** Returns the last byte of a file; a newline if the file is empty, or may be written but not read. */
function lastByte(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return '\n';
  }
  const byte = Buffer.from('\n');
  const { size } = fstatSync(fd);
  if (size > 0) readSync(fd, byte, { position: size - 1 });
  closeSync(fd);
  return byte.toString('latin1');
}

/**
 * Writes the journal to a file. While the file cannot be written (a full disk), the records wait in the ring. If the
 * ring overwrites some of them, the file gets a `gap` with their range.
 *
 * @param delivery the counts to add to; a record is delivered when the file has all of it
 * @param onError called for each new kind of error, and with null when the file can be written again
 */
export function recordTo(
  file: RecordFile,
  journal: Journal,
  delivery: Delivery,
  onError: (error: NodeJS.ErrnoException | null) => void,
): Recording {
  const read = { delivered: 0, lost: 0 };
  const cursor = createCursor(journal, { from: 1, delivery: read });
  let pending = Buffer.from(file.isCut ? '\n' : '');
  let failing: string | undefined;
  let retry: NodeJS.Timeout | undefined;
  let isOver = false;

  function drain(): void {
    clearTimeout(retry);
    try {
      for (;;) {
        if (pending.length === 0) {
          delivery.delivered = read.delivered;
          const lines = cursor.read({ chars: BATCH_CHARS });
          delivery.lost = read.lost;
          if (lines.length === 0) break;
          pending = Buffer.from(`${lines.join('\n')}\n`);
        }
        pending = pending.subarray(writeSync(file.fd, pending));
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
    flush() {
      // While the file cannot be written, requests do not try again and again: the next turn and the timer do.
      if (!failing && !isOver) drain();
    },
    close() {
      if (isOver) return;
      isOver = true;
      unwatch();
      drain();
      clearTimeout(retry);
      file.close();
    },
  };
}

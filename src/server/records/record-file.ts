// --record FILE: every record as a line of JSON, in order, so that the truth outlives the ring.
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { openTarget, type Target } from '../../syscalls/targets/target.js';
import { createCursor, type Delivery } from './cursor.js';
import type { Journal } from './journal.js';

const BATCH_CHARS = 1 << 16;
const RETRY_MS = 1000;
/** New records that are written at once: few enough to hold nobody up, so that a burst waits for its own records. */
const MOST_NEW = 1024;

export type RecordFile = Target & {
  /** Whether its last line has no end: a disk was full, or a service was killed. */
  isCut: boolean;
};

/** @throws an error with `code` when it cannot be opened */
export function openRecordFile(path: string): RecordFile {
  const target = openTarget('record', path);
  return { ...target, isCut: target.kind === 'file' && lastByte(path) !== '\n' };
}

/** What a file ends with; a newline for one that is empty, or that may be written but not read. */
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
 * Writes the journal to a file, as a reader of it like any other: when the file takes nothing (a
 * full disk), the records wait in the ring, and those that the ring overtakes are told as a `gap`.
 *
 * @param delivery where it counts: delivered is what the file took
 * @param onError told of each new error, and of null when it is over
 * @returns what writes the rest and ends it
 */
export function recordTo(
  file: RecordFile,
  journal: Journal,
  delivery: Delivery,
  onError: (error: NodeJS.ErrnoException | null) => void,
): () => void {
  const read = { delivered: 0, lost: 0 };
  const cursor = createCursor(journal, { from: 1, delivery: read });
  let pending = Buffer.from(file.isCut ? '\n' : '');
  let failing: string | undefined;
  let retry: NodeJS.Timeout | undefined;
  let over = false;

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
      // Without another call nobody would wake it.
      retry = setTimeout(drain, RETRY_MS).unref();
    }
  }

  const unwatch = journal.watch(drain, Math.max(1, Math.min(MOST_NEW, journal.capacity >> 1)));
  return () => {
    if (over) return;
    over = true;
    unwatch();
    drain();
    clearTimeout(retry);
    file.close();
  };
}

// The log: lines on stderr, because stdout belongs to the messages of clients. JSON, or text for people in a terminal.
import { pino } from 'pino';
import { escapeLines } from '../protocol/unsafe.js';
import type { Screen } from '../server/calls/screen.js';
import { minusErrno } from '../syscalls/bindings/errno.js';
import { std } from '../syscalls/levels/std.js';

/** The most bytes that wait for a slow reader. Beyond that the oldest lines are dropped. */
const MOST_WAITING_BYTES = 1 << 20;
const RETRY_MS = 100;
const EAGAIN = minusErrno('EAGAIN');
/** The longest time that flushSync blocks. A reader that is still there has made room by then. */
const FLUSH_MS = 1000;

export type LogOptions = {
  /** Return a line of JSON as text for people, with unsafe characters escaped. Without it the line stays JSON. */
  format?: ((line: string) => string) | undefined;
  /** The terminal that stderr is. A line begins in its first column. */
  screen?: Screen | undefined;
};

/**
 * Open the log. It never blocks, except in `fatal`: after that line pino calls flushSync
 * (https://github.com/pinojs/pino/blob/main/docs/api.md#fatal).
 *
 * stderr is also a target, so it is non-blocking. pino's own destinations do not fit: one retries a full pipe for ever
 * when the process ends, and one with a worker thread can then neither wait for its lines nor take them back.
 */
export function openLog(level: string, { format, screen }: LogOptions = {}): pino.Logger {
  const lines: Buffer[] = [];
  let waiting = 0;
  let retry: NodeJS.Timeout | undefined;

  /** Write the waiting lines. @returns true if the pipe is full, so that the rest needs a retry */
  function drain(): boolean {
    clearTimeout(retry);
    for (let line = lines[0]; line; line = lines[0]) {
      const written = std.write(2, line);
      // On Windows a full pipe accepts 0 bytes, without an error.
      if (written === 0 || written === EAGAIN) {
        // unref: when the service ends, a full pipe must not keep the process alive.
        retry = setTimeout(drain, RETRY_MS).unref();
        return true;
      }
      // The log has no reader. The service goes on, and the next line is the next attempt.
      if (written < 0) return false;
      waiting -= Math.min(written, line.length);
      // Or more: a library that intercepts the call may return such a count.
      if (written >= line.length) lines.shift();
      else lines[0] = line.subarray(written);
    }
    return false;
  }

  return pino({ level }, {
    write(text: string): void {
      // JSON escapes control characters, but neither separators of lines nor those that turn the direction of text.
      const line = Buffer.from(`${screen?.isMidLine ? '\n' : ''}${format?.(text) ?? escapeLines(text)}`);
      if (screen) screen.isMidLine = false;
      lines.push(line);
      waiting += line.length;
      // The first line stays: half of it may be written already.
      while (waiting > MOST_WAITING_BYTES && lines.length > 1) waiting -= lines.splice(1, 1)[0]?.length ?? 0;
      drain();
    },
    flushSync(): void {
      const deadline = performance.now() + FLUSH_MS;
      const never = new Int32Array(new SharedArrayBuffer(4));
      while (drain() && performance.now() < deadline) Atomics.wait(never, 0, 0, 10);
    },
  } as pino.DestinationStream);
}

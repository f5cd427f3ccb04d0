// The log: lines of JSON on stderr, so that stdout carries nothing but what clients wrote.
import { writeSync } from 'node:fs';
import { pino } from 'pino';

/** What may wait for a slow reader; past that the oldest lines are dropped. */
const MOST_WAITING_BYTES = 1 << 20;
const RETRY_MS = 100;
/** How long last words may take: a reader has read by then, or is none. */
const LAST_WORDS_MS = 1000;

/**
 * A log that never waits, except for its last words: those of `fatal`, after which it calls flushSync
 * (https://github.com/pinojs/pino/blob/main/docs/api.md#fatal).
 *
 * stderr is a target too, and so non-blocking. pino's own destination tries a full pipe for ever when the process ends;
 * and what it has given to a thread, it can neither wait for then nor take back.
 */
export function openLog(level: string): pino.Logger {
  const lines: Buffer[] = [];
  let waiting = 0;
  let retry: NodeJS.Timeout | undefined;

  /** @returns whether the rest is to be tried again: there is no room, and a reader */
  function drain(): boolean {
    clearTimeout(retry);
    try {
      for (let line = lines[0]; line; line = lines[0]) {
        const written = writeSync(2, line);
        waiting -= written;
        if (written === line.length) lines.shift();
        else lines[0] = line.subarray(written);
      }
      return false;
    } catch (error) {
      // Nobody reads the log any more: the service lives on, and the next line is another try.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return false;
      // At the end a stderr that takes nothing must not keep the process alive.
      retry = setTimeout(drain, RETRY_MS).unref();
      return true;
    }
  }

  return pino({ level }, {
    write(text: string): void {
      const line = Buffer.from(text);
      lines.push(line);
      waiting += line.length;
      // The first may be half out.
      while (waiting > MOST_WAITING_BYTES && lines.length > 1) waiting -= lines.splice(1, 1)[0]?.length ?? 0;
      drain();
    },
    flushSync(): void {
      const deadline = performance.now() + LAST_WORDS_MS;
      const never = new Int32Array(new SharedArrayBuffer(4));
      while (drain() && performance.now() < deadline) Atomics.wait(never, 0, 0, 10);
    },
  } as pino.DestinationStream);
}

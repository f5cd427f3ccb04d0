// --follow: waits until the run that the records are of has ended, and the tracer has written the rest.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from '../../command.js';

/** The time after which neither file is expected to grow any more. */
export const PATIENCE_MS = 60_000;
const POLL_MS = 100;
/** A tracer writes the rest of its trace so soon after the traced process has ended. */
const QUIET_MS = 1000;

/** Returns the number of bytes of a file; 0 if it is not there yet. @throws UsageError if it cannot grow */
function sizeOf(file: string): number {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats && !stats.isFile())
    throw new UsageError(`${file} is no file: leave --follow out, a pipe is read to its end`);
  return stats?.size ?? 0;
}

/** Follows a file of records: knows of its last run if it has ended. */
function createRunEnd(file: string) {
  let read = 0;
  let rest = '';
  let hasEnded = false;
  return {
    /** Reads what is new. @returns true if the last line that begins or ends a run ends one */
    async check(): Promise<boolean> {
      const size = sizeOf(file);
      // The file was truncated, or another one took its place.
      if (size < read) {
        read = 0;
        rest = '';
      }
      if (size === read) return hasEnded;
      const stream = createReadStream(file, { start: read, end: size - 1, encoding: 'latin1' });
      for await (const chunk of stream as AsyncIterable<string>) {
        read += chunk.length;
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (line.startsWith('{"type":"end",')) hasEnded = true;
          else if (line.trim() !== '') hasEnded = false;
        }
      }
      return hasEnded;
    },
  };
}

/**
 * Waits until the records end, and the trace does not grow any more.
 *
 * @throws UsageError if nothing grows for `patienceMs`
 */
export async function waitForEnd(traces: string[], records: string, patienceMs: number): Promise<void> {
  if (/^https?:\/\//.test(records))
    throw new UsageError(`${records} is a service: give --follow the file that it writes with --record FILE`);
  const files = [records, ...traces].filter((file) => file !== '-');
  if (records === '-') return;
  const run = createRunEnd(records);
  let sizes = '';
  let grownAt = performance.now();
  for (;;) {
    const hasEnded = await run.check();
    const now = performance.now();
    const current = files.map(sizeOf).join();
    if (current !== sizes) grownAt = now;
    sizes = current;
    if (hasEnded && now - grownAt >= QUIET_MS) return;
    if (!hasEnded && now - grownAt >= patienceMs && !existsSync(records))
      throw new UsageError(`${records} is not there after ${patienceMs} ms: give the file of --record`);
    if (!hasEnded && now - grownAt >= patienceMs)
      throw new UsageError(
        `${records} has no end after ${patienceMs} ms in which neither it nor the trace grew: the service runs on, or was killed; stop it, or leave --follow out to compare what is there`,
      );
    await sleep(POLL_MS);
  }
}

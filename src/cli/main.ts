#!/usr/bin/env node
// Picks the command, `serve` by default. The only file that acts on `process`.
import './require-node.js';
import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { type Cli, type Command, NoAnswer, UsageError } from './command.js';
import { closeGoneTerminals } from './terminals.js';

// Loaded when asked for: `syswire call` starts without the server.
const COMMANDS: Record<string, () => Promise<Command>> = {
  async serve() {
    // Loading the service takes a while, and a signal may come meanwhile.
    const signal = untilSignal();
    // The first look at process.stderr makes Node set O_NONBLOCK on a pipe or socket there, for everybody who shares
    // it (https://nodejs.org/api/process.html#a-note-on-process-io), and from Node 24 on importing node:util is
    // such a look: there is nothing to be seen until the descriptors are the service's own.
    const { stderr } = Object.getOwnPropertyDescriptors(process);
    Object.defineProperty(process, 'stderr', { configurable: true, value: undefined });
    const { adoptTarget } = await import('../syscalls/targets/target.js');
    for (const [name, fd] of Object.entries({ stdout: 1, stderr: 2 }))
      process.prependListener('exit', adoptTarget(name, fd).close);
    Object.defineProperty(process, 'stderr', stderr);
    const { startWatchdog } = await import('../syscalls/bindings/watchdog.js');
    signal.addEventListener('abort', startWatchdog());
    return (await import('./commands/serve.js')).serve;
  },
  write: async () => (await import('./commands/write.js')).write,
  burst: async () => (await import('./commands/burst.js')).burst,
  watch: async () => (await import('./commands/watch/watch.js')).watch,
  call: async () => (await import('./commands/call.js')).call,
  probe: async () => (await import('./commands/probe.js')).probe,
  reconcile: async () => (await import('./commands/reconcile/reconcile.js')).reconcile,
};

let stopped: AbortController | undefined;

/** Aborts at the first signal; the second ends the process, as it would have without us. */
function untilSignal(): AbortSignal {
  if (stopped) return stopped.signal;
  const first = new AbortController();
  stopped = first;
  // SIGHUP comes when the terminal is closed.
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (first.signal.aborted) process.exit(128 + constants.signals[name]);
      first.abort();
    });
  }
  return first.signal;
}

/** A reader of our words who is gone, or slow, is no reason to fail. */
function say(fd: number, line: string, end = '\n'): void {
  try {
    writeSync(fd, `${line}${end}`);
  } catch {}
}

// After all others: `serve` puts the terminals back on their descriptors first.
process.on('exit', closeGoneTerminals);

const [first = 'serve', ...rest] = process.argv.slice(2);
const [name, args] = first.startsWith('-') ? ['serve', [first, ...rest]] : [first, rest];

const cli: Cli = {
  args,
  env: process.env,
  print: (line) => say(1, line),
  note: (line) => say(2, line),
  fail(code, line) {
    say(2, `syswire: ${line}`);
    return code;
  },
  untilSignal,
  atExit: (last) => process.on('exit', last),
  onUncaught(tell) {
    // A rejection comes here too: https://nodejs.org/api/process.html#event-uncaughtexception
    process.on('uncaughtException', (error) => {
      try {
        tell(error);
      } finally {
        process.exit(1);
      }
    });
  },
  leave: (code) => process.exit(code),
  // Not looked at before they are asked for: see `serve` above.
  stdout: () => process.stdout,
  terminal: isatty(1) && isatty(2) ? { write: (text) => say(2, text, '') } : null,
};

async function run(): Promise<number> {
  if (first === '--version' || first === '-v') {
    cli.print((await import('../server/version.js')).VERSION);
    return 0;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load)
    throw new UsageError(
      `there is no '${name}': the verbs are ${Object.keys(COMMANDS).join(', ')}; syswire --help says more`,
    );
  return await (await load())(cli);
}

try {
  process.exitCode = await run();
} catch (error) {
  if (error instanceof UsageError) process.exitCode = cli.fail(2, error.message);
  else if (error instanceof NoAnswer) process.exitCode = cli.fail(3, error.message);
  else throw error;
}

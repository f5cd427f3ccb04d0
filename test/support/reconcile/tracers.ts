// Starts tracers on a process that runs, and ends them: a row for each way to call one.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../service.js';
import type { Tool } from '../tools.js';

export type Running = {
  child: ChildProcess;
  /** Has it seen a call? */
  isAttached: () => boolean;
  /** Has it seen a call with this message? Undefined if it prints each call before the call returns, or when it ends. */
  hasSeen?: (msg: string) => boolean;
  /** Ends it, and returns the file of the trace. */
  stop: () => Promise<string>;
};
export type Row = {
  format: string;
  /** Its column in the documentation. */
  options: string;
  /** The file in traces/ that KEEP_TRACES=1 makes of it. */
  keep?: string | undefined;
  /** Does the tracer lose or tear lines now and then? Such a trace is made again: it says nothing about the reader. */
  mayTear?: true;
  tool: Tool;
  /** A command that succeeds where the tracer may trace; none if it needs no privileges. */
  trial?: string[];
  start: (pid: number, folder: string) => Running;
};

const read = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

async function interrupt(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) throw new Error(`the tracer ended with ${child.exitCode}`);
  const exited = once(child, 'exit');
  child.kill('SIGINT');
  await exited;
}

const STRACE: Tool = { command: 'strace', package: 'strace' };
const BPFTRACE: Tool = { command: 'bpftrace', package: 'bpftrace' };
const PERF: Tool = { command: 'perf', package: 'linux-perf' };

/** Mounts tracefs for one command only: tracepoints need it, and not every machine has it mounted. */
const withTracefs = (command: string[]): string[] => [
  ...['unshare', '--mount', 'sh', '-c', 'mount -t tracefs nodev /sys/kernel/tracing && exec "$@"', 'sh'],
  ...command,
];

function strace(options: string): Row {
  return {
    format: 'strace',
    options,
    tool: STRACE,
    start(pid, folder) {
      // Without -o, strace prints to stderr.
      const isFile = !options.includes('2>');
      const flags = options.replace(' 2>trace', '').split(' ');
      // Of -ff, the file of the thread that makes the calls.
      const file = path.join(folder, options.includes('-ff') ? `trace.${pid}` : 'trace');
      const output = isFile ? ['-o', path.join(folder, 'trace')] : [];
      const args = [...flags, '-e', 'trace=write', ...output, '-p', String(pid)];
      const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
      let text = '';
      child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      return {
        child,
        isAttached: () => /write\(/.test(isFile ? read(file) : text),
        async stop() {
          await interrupt(child);
          if (!isFile) writeFileSync(file, text);
          return file;
        },
      };
    },
  };
}

function bpftrace(options: string): Row {
  return {
    format: 'bpftrace',
    options: options || 'text',
    tool: BPFTRACE,
    trial: withTracefs(['bpftrace', '-e', 'tracepoint:syscalls:sys_enter_write { @ = 1; } BEGIN { exit(); }']),
    start(pid, folder) {
      const script = path.join(ROOT, 'docs/tracers/write.bt');
      const flags = options === '' ? [] : options.split(' ');
      const [command, ...args] = withTracefs(['bpftrace', ...flags, script, String(pid)]);
      const child = spawn(command as string, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      let text = '';
      child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      return {
        child,
        isAttached: () => text.includes('write time='),
        hasSeen: (msg) => text.includes(`bytes=${Buffer.from(msg).toString('hex').match(/../g)?.join(' ')}`),
        async stop() {
          await interrupt(child);
          const file = path.join(folder, 'trace');
          writeFileSync(file, text);
          return file;
        },
      };
    },
  };
}

const EVENTS = ['-e', 'syscalls:sys_enter_write', '-e', 'syscalls:sys_exit_write'];

function perfScript(options: string): Row {
  return {
    format: 'perf',
    options: `script ${options}`.trim(),
    tool: PERF,
    trial: withTracefs(['perf', 'record', '-q', ...EVENTS, '-o', '/dev/null', 'true']),
    start(pid, folder) {
      const data = path.join(folder, 'perf.data');
      const record = ['perf', 'record', '-k', 'CLOCK_MONOTONIC', ...EVENTS, '-p', String(pid), '-o', data];
      // perf says on descriptor 4 that it has enabled its events, as it is asked to on descriptor 3.
      const [command, ...args] = withTracefs([...record, '-D', '-1', '--control=fd:3,4']);
      const child = spawn(command as string, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
      let isAttached = false;
      (child.stdio[4] as NodeJS.ReadableStream).on('data', () => {
        isAttached = true;
      });
      (child.stdio[3] as NodeJS.WritableStream).write('enable\n');
      return {
        child,
        isAttached: () => isAttached,
        async stop() {
          await interrupt(child);
          const [reader, ...rest] = withTracefs(['perf', 'script', '-i', data, ...options.split(' ').filter(Boolean)]);
          const file = path.join(folder, 'trace');
          writeFileSync(file, execFileSync(reader as string, rest, { stdio: ['ignore', 'pipe', 'ignore'] }));
          return file;
        },
      };
    },
  };
}

function perfTrace(options: string): Row {
  return {
    format: 'perf',
    options: `trace ${options}`,
    mayTear: true,
    tool: PERF,
    trial: withTracefs(['perf', 'trace', '-e', 'write', '-o', '/dev/null', 'true']),
    start(pid, folder) {
      const file = path.join(folder, 'trace');
      const [command, ...args] = withTracefs(['perf', 'trace', ...options.split(' '), '-p', String(pid), '-o', file]);
      const child = spawn(command as string, args, { stdio: 'ignore' });
      return {
        child,
        isAttached: () => read(file).includes('write('),
        async stop() {
          await interrupt(child);
          return file;
        },
      };
    },
  };
}

/** By options, the traces that are kept: each has what no other one has. */
const KEPT: Record<string, string> = {
  '-f -ttt -y': 'strace-y',
  '-f -ttt -Y 2>trace': 'strace-stderr',
  '-f -r --decode-fds=all': 'strace-r',
  '-f -ttt -i -n -k -T': 'strace-ink',
  '-f -xx -yy': 'strace-xx',
  '-f -ttt -e raw=write': 'strace-raw',
  '-f -e write=all -s 4': 'strace-dump',
  text: 'bpftrace-text',
  '-f json': 'bpftrace-json',
  script: 'perf-script',
  'trace -e write': 'perf-trace',
};

export const ROWS: Row[] = [
  ...[
    '-f -ttt -y',
    '-f',
    '-f 2>trace',
    '-f -ttt -Y 2>trace',
    '-t',
    '-f -tt -yy',
    '-f -r --decode-fds=all',
    '-f -ttt -r --decode-pids=comm,pidns',
    '-f -ttt -i -n -k -T',
    '-f -x -y',
    '-f -xx -yy',
    '-f -a 100 -s 0',
    '-f -ttt -e raw=write',
    '-f -e write=all -s 4',
    '-f --timestamps=unix,s --syscall-times=ns',
    '-f -v -X verbose --quiet=all',
    '-f -C',
    '-ff -ttt -y',
  ].map(strace),
  bpftrace(''),
  bpftrace('-f json'),
  perfScript(''),
  perfScript('--ns -F trace:comm,pid,tid,tod,event,trace'),
  perfTrace('-e write'),
].map((row) => ({ ...row, keep: KEPT[row.options] }));

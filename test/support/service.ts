// The real service as a child process, as a user starts it, and the places that its stdout leads to.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { Socket, type SocketConstructorOpts } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { WriteResult } from '../../src/protocol/calls.js';
import type { Problem } from '../../src/protocol/problem.js';
import type { CallRecord } from '../../src/protocol/records.js';

/** Where what is opened is put down to be closed: a test, or anything else that ends. */
export type Scope = Pick<TestContext, 'after'>;

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const MAIN = path.join(ROOT, 'dist/cli/main.js');

/** A folder of the test's own, removed when it ends. */
export function tempFolder(t: Scope): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'syswire-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export type Fifo = { path: string; reader: Socket; writer: number };

/** A FIFO with both ends open. Nothing is taken out before the first `read`; from then on Node reads ahead. */
export function openFifo(t: Scope): Fifo {
  const file = path.join(tempFolder(t), 'fifo');
  execFileSync('mkfifo', [file]);
  // An option that @types/node does not know: without it Node begins to read at once.
  const options: SocketConstructorOpts & { pauseOnCreate: boolean } = {
    fd: openSync(file, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    pauseOnCreate: true,
  };
  const reader = new Socket(options);
  const writer = openSync(file, constants.O_WRONLY);
  t.after(() => reader.destroy());
  return { path: file, reader, writer };
}

/** The next `length` bytes from a stream. */
export async function read(stream: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let have = 0; have < length; ) {
    const chunk: Buffer | null = stream.read(Math.min(length - have, stream.readableLength) || undefined);
    if (chunk === null) await once(stream, 'readable');
    else {
      chunks.push(chunk);
      have += chunk.length;
    }
  }
  return Buffer.concat(chunks);
}

export type Service = {
  child: ChildProcess;
  url: string;
  /** Log lines so far. */
  log: string[];
  /** The first log line with these words, once it is there. */
  logged: (words: string) => Promise<string>;
  /** POSTs a write and gives back the answer's body. */
  write: (body: object) => Promise<WriteResult & Problem>;
  records: () => Promise<CallRecord[]>;
  /** Sends SIGTERM, and gives back the exit code once it is gone. */
  stop: () => Promise<number | null>;
};

export type ServiceOptions = {
  args?: string[];
  env?: NodeJS.ProcessEnv;
  /** What its stdout is: a descriptor, which stays the caller's to close, a pipe to `child.stdout`; none: /dev/null. */
  stdout?: number | 'pipe';
  /** What its stderr is, instead of a pipe that is read: it is read up to where the service listens. */
  stderr?: Fifo;
  /** Puts something around the command, strace say. What is around it may log to descriptor 3. */
  wrap?: (command: string[]) => string[];
};

/** Starts the service on a free port, and waits until it listens. It is stopped when the test ends. */
export async function startService(t: Scope, options: ServiceOptions = {}): Promise<Service> {
  const plain = [process.execPath, MAIN, '--port', '0', ...(options.args ?? [])];
  const [command, ...args] = options.wrap?.(plain) ?? plain;
  const child = spawn(command as string, args, {
    cwd: ROOT,
    stdio: ['ignore', options.stdout ?? 'ignore', options.stderr?.writer ?? 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  const exited = once(child, 'exit');
  const log: string[] = [];
  const gone = once(child, 'close').then(([code]) => {
    throw new Error(`exit ${code}: ${log.join('\n')}`);
  });
  gone.catch(() => {});
  const news = new EventEmitter().setMaxListeners(0);
  async function logged(words: string): Promise<string> {
    for (;;) {
      const found = log.find((line) => line.includes(words));
      if (found !== undefined) return found;
      await Promise.race([once(news, 'line'), gone]);
    }
  }
  const readers = [options.stderr?.reader ?? child.stdio[2], child.stdio[3]].map((stream) =>
    createInterface(stream as Readable).on('line', (line) => {
      log.push(line);
      news.emit('line');
    }),
  );
  const { address: url } = JSON.parse(await logged('"msg":"listening"'));
  if (options.stderr) readers[0]?.close();

  async function stop(): Promise<number | null> {
    // Under a tracer the child is the tracer; the service says its own process id.
    if (child.exitCode === null && child.signalCode === null) process.kill(await pidOf(url), 'SIGTERM');
    return (await exited)[0];
  }
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) await stop().catch(() => child.kill('SIGKILL'));
  });
  return {
    child,
    url,
    log,
    logged,
    stop,
    async write(body) {
      const answer = await post(`${url}/write`, body);
      return (await answer.json()) as WriteResult & Problem;
    },
    async records() {
      const answer = await fetch(`${url}/events?limit=10000`);
      return ((await answer.json()) as { events: CallRecord[] }).events;
    },
  };
}

export const post = (url: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

async function pidOf(url: string): Promise<number> {
  return ((await (await fetch(`${url}/health`)).json()) as { pid: number }).pid;
}

/** Resolves once so many calls were made. */
export async function callsMade({ url }: Service, count: number): Promise<void> {
  for (const signal = AbortSignal.timeout(20_000); ; ) {
    const health = await fetch(`${url}/health`, { signal });
    if (((await health.json()) as { next: number }).next > count) return;
  }
}

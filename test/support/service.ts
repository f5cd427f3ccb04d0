// Starts the real service as a child process, and makes FIFOs and folders for its targets.
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

/** A test, or anything else that calls functions when it ends: helpers register their clean-up here. */
export type Scope = Pick<TestContext, 'after'>;

// Node's test runner sets it for test files when it prints to a terminal. The programs that tests start must not have it.
delete process.env.FORCE_COLOR;

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const MAIN = path.join(ROOT, 'dist/cli/main.js');

/** Make a folder, which is removed when the test ends. */
export function tempFolder(t: Scope): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'syswire-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export type Fifo = { path: string; reader: Socket; writer: number };

/** Make a FIFO and open both ends. `reader` takes nothing before the first `read`; from then on Node reads ahead. */
export function openFifo(t: Scope): Fifo {
  const file = path.join(tempFolder(t), 'fifo');
  execFileSync('mkfifo', [file]);
  // pauseOnCreate is missing in @types/node. Without it Node begins to read at once.
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

/** Read exactly `length` bytes from a stream. */
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
  /** The log lines so far. */
  log: string[];
  /** Wait for the first log line that contains these words, and return it. */
  logged: (words: string) => Promise<string>;
  /** Send POST /write and return the answer's body. */
  write: (body: object) => Promise<WriteResult & Problem>;
  records: () => Promise<CallRecord[]>;
  /** Send SIGTERM, wait for the exit, and return the exit code. */
  stop: () => Promise<number | null>;
};

export type ServiceOptions = {
  args?: string[];
  env?: NodeJS.ProcessEnv;
  /** The service's stdout: a descriptor, which the caller closes, or a pipe to `child.stdout`. Default: /dev/null. */
  stdout?: number | 'pipe';
  /** The service's stderr. It is read only up to the line `listening`. Default: a pipe that is read to the end. */
  stderr?: Fifo;
  /** Return the command with another one around it, strace for example, which may log to descriptor 3. */
  wrap?: (command: string[]) => string[];
};

/** Start the service on a free port, and wait until it listens. It is stopped when the test ends. */
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
    // Under a tracer, `child` is the tracer. GET /health returns the process id of the service.
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

/** Wait until the service has made at least `count` calls. */
export async function callsMade({ url }: Service, count: number): Promise<void> {
  for (const signal = AbortSignal.timeout(20_000); ; ) {
    const health = await fetch(`${url}/health`, { signal });
    if (((await health.json()) as { next: number }).next > count) return;
  }
}

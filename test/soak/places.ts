// The places that the load writes to, and their readers: they read at once, slowly, or not for seconds.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, createReadStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { openFifo, type Scope } from '../support/service.js';
import { createPrint, type Print } from './print.js';

export type Places = {
  /** name → path, for --target. */
  paths: Record<string, string>;
  /** Target → fingerprint of the bytes that arrived so far. */
  arrived: Map<string, Print>;
  /** Starts the readers, once the service has opened the places. @param stdout the other end of the service's stdout */
  begin: (stdout: Readable) => void;
  /** Makes all readers read at once (true), or in their own way again (false). */
  hurry: (yes: boolean) => void;
  /** Reads the rest, once the service has ended. */
  finish: () => Promise<void>;
};

/** A program that opens a terminal in raw mode, prints its name on stderr, and copies what it gets to stdout. */
const TERMINAL = `
import os, pty, sys, tty
master, slave = pty.openpty()
tty.setraw(slave)
print(os.ttyname(slave), file=sys.stderr, flush=True)
while True: os.write(1, os.read(master, 65536))
`;

/** Ways to read a FIFO, in ms: a chunk, then a rest; or everything for `open`, then nothing for `shut`. */
const READERS: Record<string, { rest: number } | { open: number; shut: number }> = {
  'fifo-1': { rest: 0 },
  'fifo-2': { rest: 0 },
  slow: { rest: 150 },
  stuck: { open: 700, shut: 3000 },
};

export async function openPlaces(t: Scope, folder: string): Promise<Places> {
  const file = path.join(folder, 'file');
  const fifos = Object.entries(READERS).map(([name, reader]) => ({ name, ...openFifo(t), how: reader }));
  const terminal: ChildProcess = spawn('python3', ['-c', TERMINAL], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => terminal.kill('SIGKILL'));
  const [pty] = (await once(createInterface(terminal.stderr as Readable), 'line')) as [string];
  const arrived = new Map(
    ['stdout', 'file', 'terminal', ...fifos.map(({ name }) => name)].map((name) => [name, createPrint()]),
  );
  let inHurry = false;
  const ends: Promise<unknown>[] = [];

  function take(name: string, stream: Readable): void {
    stream.on('data', (bytes: Buffer) => arrived.get(name)?.add(bytes));
    ends.push(once(stream, 'close'));
  }

  return {
    paths: {
      file,
      null: '/dev/null',
      terminal: pty,
      ...Object.fromEntries(fifos.map(({ name, path }) => [name, path])),
    },
    arrived,
    begin(stdout) {
      take('stdout', stdout);
      take('terminal', terminal.stdout as Readable);
      for (const { name, reader, writer, how } of fifos) {
        closeSync(writer);
        take(name, reader);
        if ('rest' in how) {
          reader.on('data', () => {
            if (inHurry || how.rest === 0) return;
            reader.pause();
            setTimeout(() => reader.resume(), how.rest);
          });
          continue;
        }
        const turn = setInterval(() => {
          if (!inHurry) reader.pause();
          setTimeout(() => reader.resume(), how.shut);
        }, how.open + how.shut);
        reader.once('close', () => clearInterval(turn));
      }
    },
    hurry(yes) {
      inHurry = yes;
      if (yes) for (const { reader } of fifos) reader.resume();
    },
    async finish() {
      terminal.kill('SIGKILL');
      await Promise.all(ends);
      for await (const bytes of createReadStream(file)) arrived.get('file')?.add(bytes);
    },
  };
}

// Runs the parity table: every case at every level, one call each, through the library. Prints the result of each call
// as JSON on descriptor 3. Tests run it under a witness: strace, LD_PRELOAD.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { LEVEL_IDS, type LevelId } from '../../../src/protocol/names.js';
import { levels } from '../../../src/syscalls/index.js';

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

export type Row = { case: string; level: LevelId; fd: number; sent: string; result: number };
type Prepared = { fd: number; bytes: Uint8Array };

const folder = process.argv[2] as string;
let files = 0;
const newPath = (): string => path.join(folder, `${++files}`);

/** Makes a FIFO and opens its two ends, non-blocking. */
function fifo(): { reader: number; writer: number } {
  const at = newPath();
  execFileSync('mkfifo', [at]);
  const reader = openSync(at, O_RDONLY | O_NONBLOCK);
  return { reader, writer: openSync(at, O_WRONLY | O_NONBLOCK) };
}

/** Returns a subarray that does not begin at the start of its buffer. */
function tail(text: string): Uint8Array {
  const whole = Buffer.from(`not this;${text}`);
  return whole.subarray(9);
}

const CASES: Record<string, (mark: string) => Prepared> = {
  'a file': (mark) => ({ fd: openSync(newPath(), 'w'), bytes: Buffer.from(mark) }),
  'text outside ASCII': (mark) => ({ fd: openSync(newPath(), 'w'), bytes: Buffer.from(`${mark} Grüße, 世界 🌍`) }),
  'every byte there is': (mark) => ({
    fd: openSync(newPath(), 'w'),
    bytes: Buffer.concat([Buffer.from(mark), Uint8Array.from({ length: 256 }, (_, i) => i)]),
  }),
  'a subarray': (mark) => ({ fd: openSync(newPath(), 'w'), bytes: tail(mark) }),
  'a plain Uint8Array': (mark) => ({ fd: openSync(newPath(), 'w'), bytes: Uint8Array.from(Buffer.from(mark)) }),
  'a Uint8Array on a resizable buffer': (mark) => {
    const buffer = new ArrayBuffer(0, { maxByteLength: mark.length });
    const bytes = new Uint8Array(buffer);
    buffer.resize(mark.length);
    bytes.set(Buffer.from(mark));
    return { fd: openSync(newPath(), 'w'), bytes };
  },
  'a FIFO': (mark) => ({ fd: fifo().writer, bytes: Buffer.from(mark) }),
  '/dev/null': (mark) => ({ fd: openSync('/dev/null', 'w'), bytes: Buffer.from(mark) }),
  'ENOSPC: a full device': (mark) => ({ fd: openSync('/dev/full', 'w'), bytes: Buffer.from(mark) }),
  'EBADF: a number that no descriptor has': (mark) => ({ fd: 2147483646, bytes: Buffer.from(mark) }),
  'EBADF: opened for reading': (mark) => {
    const at = newPath();
    writeFileSync(at, '');
    return { fd: openSync(at, 'r'), bytes: Buffer.from(mark) };
  },
  'EPIPE: the reader is gone': (mark) => {
    const { reader, writer } = fifo();
    closeSync(reader);
    return { fd: writer, bytes: Buffer.from(mark) };
  },
  'EAGAIN: the pipe is full': (mark) => {
    const { writer } = fifo();
    levels.std.write(writer, Buffer.alloc(65_536));
    return { fd: writer, bytes: Buffer.from(mark) };
  },
};

for (const [name, prepare] of Object.entries(CASES)) {
  for (const level of LEVEL_IDS.filter((id) => levels[id].available)) {
    const { fd, bytes } = prepare(`<${name}|${level}>`);
    const result = levels[level].write(fd, bytes);
    const row: Row = { case: name, level, fd, sent: Buffer.from(bytes).toString('hex'), result };
    writeFileSync(3, `${JSON.stringify(row)}\n`);
    if (fd < 1 << 20) closeSync(fd);
  }
}

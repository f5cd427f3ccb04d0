// The conformance table: what write(2) promises of a descriptor, one case a line, to be held against
// every level. `from` names the cases of the Linux Test Project (testcases/kernel/syscalls/) and of
// gVisor (test/syscalls/linux/write.cc, "g:") that check the same, so that a reader can see that ours
// are a superset. Where a level differs, `differs` says how and why.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import type { LevelId } from '../../../src/protocol/names.js';
import { lazy } from '../../../src/syscalls/bindings/libc.js';
import type { Write } from '../../../src/syscalls/contract.js';

const { O_APPEND, O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
const O_PATH = 0o10000000;
const SEEK_SET = 0;
const SEEK_CUR = 1;
const SEEK_END = 2;

/** What a case works with: a folder of its own, and descriptors that are closed behind it. */
export type Bench = {
  write: Write;
  open: (name: string, flags: number) => number;
  path: (name: string) => string;
  /** A FIFO: its non-blocking ends. */
  fifo: () => { reader: number; writer: number };
};

export type Case = {
  name: string;
  from: string;
  /** Makes the calls, and gives back what was seen. */
  run: (bench: Bench) => unknown;
  expect: unknown;
  /** `or` is what may be seen instead. */
  differs?: Partial<Record<LevelId, { expect: unknown; or?: unknown; why: string }>>;
};

export function makeBench(folder: string, write: Write): Bench & { close: () => void } {
  const open: number[] = [];
  let fifos = 0;
  const keep = (fd: number): number => {
    open.push(fd);
    return fd;
  };
  const at = (name: string): string => path.join(folder, name);
  return {
    write,
    path: at,
    open: (name, flags) => keep(openSync(path.resolve(folder, name), flags, 0o600)),
    fifo() {
      const name = at(`fifo${++fifos}`);
      execFileSync('mkfifo', [name]);
      const reader = keep(openSync(name, O_RDONLY | O_NONBLOCK));
      return { reader, writer: keep(openSync(name, O_WRONLY | O_NONBLOCK)) };
    },
    close() {
      for (const fd of open) {
        try {
          closeSync(fd);
        } catch {} // a case may have closed it
      }
    },
  };
}

const lseek = lazy<(fd: number, offset: number, whence: number) => number>(
  'int64_t lseek(int fd, int64_t offset, int whence)',
);
const memfdCreate = lazy<(name: string, flags: number) => number>(
  'int memfd_create(const char *name, unsigned int flags)',
);
const fcntl = lazy<(fd: number, command: number, type: 'int', argument: number) => number>(
  'int fcntl(int fd, int command, ...)',
);

const bytes = (count: number, value = 'a'): Buffer => Buffer.alloc(count, value);
const text = (words: string): Buffer => Buffer.from(words);

/** All that a non-blocking reader has. */
function drain(reader: number): string {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.alloc(65_536);
    try {
      const count = readSync(reader, chunk);
      if (count === 0) break;
      chunks.push(chunk.subarray(0, count));
    } catch {
      break;
    }
  }
  return String(Buffer.concat(chunks));
}

const EBADF = -9;
const EAGAIN = -11;
const ENOMEM = -12;
const EINVAL = -22;
const ENOSPC = -28;
const EPERM = -1;
const EPIPE = -32;
const MAX_RW_COUNT = 0x7ffff000;

/** Zero-filled pages that are not there until somebody reads them, which /dev/null does not. */
const sparse = (count: number): Uint8Array => new Uint8Array(count);

/** V8 takes its pages at random addresses, now and then one there; AddressSanitizer takes all of it. */
const NO_ROOM: Case['differs'] = {
  int80: {
    expect: MAX_RW_COUNT,
    or: ENOMEM,
    why: 'its copy takes the upper two of the four GiB that its registers reach, if they are free',
  },
};

export const CASES: Case[] = [
  {
    name: 'the count returned is the count asked for, from 1 byte to 8192',
    from: 'write01',
    run({ write, open }) {
      const fd = open('file', O_WRONLY | O_CREAT);
      for (let count = 1; count <= 8192; count *= 2) if (write(fd, bytes(count)) !== count) return count;
      return fstatSync(fd).size;
    },
    expect: 16_383,
  },
  {
    name: 'no bytes to a file: 0, and the file as it was',
    from: 'write02, g:WriteIncrementOffset',
    run: ({ write, open }) => {
      const fd = open('file', O_RDWR | O_CREAT);
      writeSync(fd, 'before');
      return [write(fd, bytes(0)), fstatSync(fd).size, lseek(fd, 0, SEEK_CUR)];
    },
    expect: [0, 6, 6],
  },
  {
    name: 'no bytes to a full device',
    from: '(ours)',
    run: ({ write, open }) => write(open('/dev/full', O_WRONLY), bytes(0)),
    expect: ENOSPC,
    differs: {
      uring: { expect: 0, why: 'io_uring asks a device that has only a plain write for no bytes not at all' },
    },
  },
  { name: 'no bytes to a FIFO', from: '(ours)', run: ({ write, fifo }) => write(fifo().writer, bytes(0)), expect: 0 },
  {
    name: 'no bytes to a full FIFO, or one without a reader: 0, neither is looked at',
    from: '(ours)',
    run({ write, fifo }) {
      const [full, broken] = [fifo(), fifo()];
      writeSync(full.writer, bytes(65_536));
      closeSync(broken.reader);
      return [write(full.writer, bytes(0)), write(broken.writer, bytes(0))];
    },
    expect: [0, 0],
  },
  {
    name: 'no bytes to a bad descriptor',
    from: '(ours)',
    run: ({ write }) => write(2_147_483_646, bytes(0)),
    expect: EBADF,
  },
  {
    name: 'a failed write leaves the file as it was',
    from: 'write03',
    run({ write, open, path: at }) {
      writeFileSync(at('file'), 'before');
      return [write(open('file', O_RDONLY), text('after')), readFileSync(at('file'), 'utf8')];
    },
    expect: [EBADF, 'before'],
  },
  {
    name: 'a full FIFO, non-blocking: EAGAIN, and nothing is added',
    from: 'write04',
    run({ write, fifo }) {
      const { reader, writer } = fifo();
      writeSync(writer, bytes(65_536));
      return [write(writer, text('x')), drain(reader).length];
    },
    expect: [EAGAIN, 65_536],
  },
  {
    name: 'a number that no descriptor has',
    from: 'write05 (EBADF), g:WriteClosedFd',
    run: ({ write }) => write(2_147_483_646, text('x')),
    expect: EBADF,
  },
  {
    name: 'a negative number',
    from: 'g:WriteNegativeFd',
    run: ({ write }) => [write(-1, text('x')), write(-2_147_483_648, text('x'))],
    expect: [EBADF, EBADF],
  },
  {
    name: 'a descriptor that was closed',
    from: 'g:WriteClosedFd',
    run({ write, open }) {
      const fd = open('file', O_WRONLY | O_CREAT);
      closeSync(fd);
      return write(fd, text('x'));
    },
    expect: EBADF,
  },
  {
    name: 'a FIFO whose reader is gone',
    from: 'write05 (EPIPE)',
    run({ write, fifo }) {
      const { reader, writer } = fifo();
      closeSync(reader);
      return write(writer, text('x'));
    },
    expect: EPIPE,
  },
  {
    name: 'O_APPEND writes at the end, wherever the offset stands',
    from: 'write06, pwrite04, g:WriteIncrementOffsetAppend',
    run({ write, open, path: at }) {
      writeFileSync(at('file'), 'hello world\n');
      const fd = open('file', O_WRONLY | O_APPEND);
      lseek(fd, 2, SEEK_SET);
      const count = write(fd, bytes(1024));
      return [count, lseek(fd, 0, SEEK_CUR), readFileSync(at('file'), 'utf8').startsWith('hello world\naaa')];
    },
    expect: [1024, 1036, true],
  },
  {
    name: 'the offset grows by the count',
    from: 'pwrite01, g:WriteIncrementOffset',
    run({ write, open }) {
      const fd = open('file', O_WRONLY | O_CREAT);
      const seen: number[] = [];
      for (const count of [0, 1024, 512]) seen.push(write(fd, bytes(count)), lseek(fd, 0, SEEK_CUR));
      return seen;
    },
    expect: [0, 0, 1024, 1024, 512, 1536],
  },
  {
    name: 'a write in the middle overwrites, and grows the file as it must',
    from: 'g:WriteIncrementOffsetSeek',
    run({ write, open, path: at }) {
      writeFileSync(at('file'), 'hello world\n');
      const fd = open('file', O_WRONLY);
      lseek(fd, 6, SEEK_SET);
      return [write(fd, text('kernel!')), lseek(fd, 0, SEEK_CUR), readFileSync(at('file'), 'utf8')];
    },
    expect: [7, 13, 'hello kernel!'],
  },
  {
    name: 'a write at the end extends the file',
    from: 'g:WriteIncrementOffsetEOF, g:WriteExtendsPastEOF',
    run({ write, open, path: at }) {
      writeFileSync(at('file'), 'initial');
      const fd = open('file', O_RDWR);
      lseek(fd, 0, SEEK_END);
      return [write(fd, text(' plus more')), fstatSync(fd).size];
    },
    expect: [10, 17],
  },
  {
    name: 'a write beyond the end leaves a hole of zeros',
    from: 'g:PwriteBeyondEOFCreatesHole',
    run({ write, open, path: at }) {
      const fd = open('file', O_RDWR | O_CREAT);
      lseek(fd, 100, SEEK_SET);
      return [
        write(fd, text('after the hole')),
        readFileSync(at('file')).subarray(0, 100).equals(Buffer.alloc(100)),
        fstatSync(fd).size,
      ];
    },
    expect: [14, true, 114],
  },
  {
    name: 'opened with O_PATH',
    from: 'g:WriteWithOpath',
    run: ({ write, open }) => write(open('/dev/null', O_PATH), bytes(1024)),
    expect: EBADF,
  },
  {
    name: 'opened for reading',
    from: 'pwrite02 (EBADF), g:WriteReadOnlyFd',
    run: ({ write, open }) => write(open('/dev/null', O_RDONLY), text('x')),
    expect: EBADF,
  },
  {
    name: 'the reading end of a FIFO',
    from: 'g:WriteToReadEndOfPipe',
    run: ({ write, fifo }) => write(fifo().reader, text('x')),
    expect: EBADF,
  },
  {
    name: 'a FIFO passes on what it was given',
    from: 'g:WriteToPipe',
    run({ write, fifo }) {
      const { reader, writer } = fifo();
      return [write(writer, text('hello pipe')), drain(reader)];
    },
    expect: [10, 'hello pipe'],
  },
  {
    name: 'through a symbolic link',
    from: 'g:WriteToSymlink',
    run({ write, open, path: at }) {
      writeFileSync(at('file'), '');
      symlinkSync(at('file'), at('link'));
      return [write(open('link', O_WRONLY), text('hello link')), readFileSync(at('file'), 'utf8')];
    },
    expect: [10, 'hello link'],
  },
  {
    name: '/dev/null',
    from: 'g:WriteToDevNull',
    run: ({ write, open }) => write(open('/dev/null', O_WRONLY), text('gone')),
    expect: 4,
  },
  {
    name: '/dev/null, a megabyte',
    from: 'g:WriteLargeToDevNull',
    run: ({ write, open }) => write(open('/dev/null', O_WRONLY), bytes(1 << 20)),
    expect: 1 << 20,
  },
  {
    name: '/dev/zero',
    from: 'g:WriteToDevZero',
    run: ({ write, open }) => write(open('/dev/zero', O_WRONLY), text('gone')),
    expect: 4,
  },
  {
    name: 'a nearly full FIFO takes what fits',
    from: '(ours; pipe(7), O_NONBLOCK)',
    run({ write, fifo }) {
      const { reader, writer } = fifo();
      writeSync(writer, bytes(65_536 - 8192));
      return [write(writer, bytes(20_000)), drain(reader).length];
    },
    expect: [8192, 65_536],
  },
  {
    name: 'up to PIPE_BUF bytes are written whole or not at all',
    from: '(ours; pipe(7), PIPE_BUF)',
    run({ write, fifo }) {
      const { reader, writer } = fifo();
      writeSync(writer, bytes(65_536 - 4096));
      writeSync(writer, text('x'));
      return [write(writer, bytes(4096)), drain(reader).length];
    },
    expect: [EAGAIN, 65_536 - 4095],
  },
  {
    name: 'a memfd sealed against writing',
    from: '(ours; memfd_create(2))',
    run({ write }) {
      const fd = memfdCreate('sealed', 3);
      writeSync(fd, 'before');
      fcntl(fd, 1033, 'int', 8);
      const seen = [write(fd, text('x')), fstatSync(fd).size];
      closeSync(fd);
      return seen;
    },
    expect: [EPERM, 6],
  },
  {
    name: 'more than 0x7ffff000 bytes are cut to that',
    from: '(ours; write(2), notes)',
    run: ({ write, open }) => write(open('/dev/null', O_WRONLY), sparse(MAX_RW_COUNT + 1)),
    expect: MAX_RW_COUNT,
    differs: { ...NO_ROOM, std: { expect: MAX_RW_COUNT + 1, why: 'libuv goes on after a partial write' } },
  },
  {
    name: 'more than 2³¹−1 bytes',
    from: '(ours)',
    run: ({ write, open }) => write(open('/dev/null', O_WRONLY), sparse(2 ** 31)),
    expect: MAX_RW_COUNT,
    differs: { ...NO_ROOM, std: { expect: EINVAL, why: 'Node refuses the length, without a call' } },
  },
];

// The conformance table: the behaviour of write(2), one case per row, for every level. `from` names the cases of the
// Linux Test Project (testcases/kernel/syscalls/) and of gVisor (test/syscalls/linux/write.cc, "g:") that check the
// same, which shows that this table is a superset of both. If a level behaves differently, `differs` has its result and
// the reason.
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

/** The tools of a case: the level's write, and a folder of its own. Its descriptors are closed after the case. */
export type Bench = {
  write: Write;
  open: (name: string, flags: number) => number;
  path: (name: string) => string;
  /** Makes a FIFO and opens its two ends, non-blocking. */
  fifo: () => { reader: number; writer: number };
};

export type Case = {
  name: string;
  from: string;
  /** Makes the calls. Returns the observed results, to compare with `expect`. */
  run: (bench: Bench) => unknown;
  expect: unknown;
  /** The results of levels that differ. `or` is a second possible result. */
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

/** Reads everything that is in a FIFO now. */
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

/** Makes zero-filled bytes that take no memory until they are read. /dev/null does not read them. */
const sparse = (count: number): Uint8Array => new Uint8Array(count);

/** A page of V8's may lie between 2 and 4 GiB by chance. AddressSanitizer occupies that space entirely. */
const NO_ROOM: Case['differs'] = {
  int80: {
    expect: MAX_RW_COUNT,
    or: ENOMEM,
    why: 'its copy needs the space from 2 to 4 GiB, which may be occupied',
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
    name: 'a write of no bytes to a file returns 0 and does not change the file',
    from: 'write02, g:WriteIncrementOffset',
    run: ({ write, open }) => {
      const fd = open('file', O_RDWR | O_CREAT);
      writeSync(fd, 'before');
      return [write(fd, bytes(0)), fstatSync(fd).size, lseek(fd, 0, SEEK_CUR)];
    },
    expect: [0, 6, 6],
  },
  {
    name: 'a write of no bytes to a full device is ENOSPC',
    from: '(ours)',
    run: ({ write, open }) => write(open('/dev/full', O_WRONLY), bytes(0)),
    expect: ENOSPC,
    differs: {
      uring: { expect: 0, why: 'io_uring does not ask a device without write_iter to write zero bytes' },
    },
  },
  {
    name: 'a write of no bytes to a FIFO returns 0',
    from: '(ours)',
    run: ({ write, fifo }) => write(fifo().writer, bytes(0)),
    expect: 0,
  },
  {
    name: 'a write of no bytes to a full FIFO, or to a FIFO without a reader, returns 0',
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
    name: 'a write of no bytes to an invalid descriptor is EBADF',
    from: '(ours)',
    run: ({ write }) => write(2_147_483_646, bytes(0)),
    expect: EBADF,
  },
  {
    name: 'a failed write does not change the file',
    from: 'write03',
    run({ write, open, path: at }) {
      writeFileSync(at('file'), 'before');
      return [write(open('file', O_RDONLY), text('after')), readFileSync(at('file'), 'utf8')];
    },
    expect: [EBADF, 'before'],
  },
  {
    name: 'a write to a full, non-blocking FIFO is EAGAIN and adds nothing',
    from: 'write04',
    run({ write, fifo }) {
      const { reader, writer } = fifo();
      writeSync(writer, bytes(65_536));
      return [write(writer, text('x')), drain(reader).length];
    },
    expect: [EAGAIN, 65_536],
  },
  {
    name: 'a write to a number that is not a descriptor is EBADF',
    from: 'write05 (EBADF), g:WriteClosedFd',
    run: ({ write }) => write(2_147_483_646, text('x')),
    expect: EBADF,
  },
  {
    name: 'a write to a negative number is EBADF',
    from: 'g:WriteNegativeFd',
    run: ({ write }) => [write(-1, text('x')), write(-2_147_483_648, text('x'))],
    expect: [EBADF, EBADF],
  },
  {
    name: 'a write to a closed descriptor is EBADF',
    from: 'g:WriteClosedFd',
    run({ write, open }) {
      const fd = open('file', O_WRONLY | O_CREAT);
      closeSync(fd);
      return write(fd, text('x'));
    },
    expect: EBADF,
  },
  {
    name: 'a write to a FIFO whose reader has closed it is EPIPE',
    from: 'write05 (EPIPE)',
    run({ write, fifo }) {
      const { reader, writer } = fifo();
      closeSync(reader);
      return write(writer, text('x'));
    },
    expect: EPIPE,
  },
  {
    name: 'with O_APPEND, a write goes to the end, not to the offset',
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
    name: 'a write advances the offset by its count',
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
    name: 'a write in the middle of a file overwrites bytes and extends the file',
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
    name: 'a write at the end of a file extends it',
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
    name: 'a write beyond the end of a file leaves a hole of zeros',
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
    name: 'a write to a descriptor opened with O_PATH is EBADF',
    from: 'g:WriteWithOpath',
    run: ({ write, open }) => write(open('/dev/null', O_PATH), bytes(1024)),
    expect: EBADF,
  },
  {
    name: 'a write to a descriptor opened for reading is EBADF',
    from: 'pwrite02 (EBADF), g:WriteReadOnlyFd',
    run: ({ write, open }) => write(open('/dev/null', O_RDONLY), text('x')),
    expect: EBADF,
  },
  {
    name: 'a write to the reading end of a FIFO is EBADF',
    from: 'g:WriteToReadEndOfPipe',
    run: ({ write, fifo }) => write(fifo().reader, text('x')),
    expect: EBADF,
  },
  {
    name: 'the reader of a FIFO gets the bytes that were written',
    from: 'g:WriteToPipe',
    run({ write, fifo }) {
      const { reader, writer } = fifo();
      return [write(writer, text('hello pipe')), drain(reader)];
    },
    expect: [10, 'hello pipe'],
  },
  {
    name: 'a write through a symbolic link goes to its file',
    from: 'g:WriteToSymlink',
    run({ write, open, path: at }) {
      writeFileSync(at('file'), '');
      symlinkSync(at('file'), at('link'));
      return [write(open('link', O_WRONLY), text('hello link')), readFileSync(at('file'), 'utf8')];
    },
    expect: [10, 'hello link'],
  },
  {
    name: 'a write to /dev/null returns its count',
    from: 'g:WriteToDevNull',
    run: ({ write, open }) => write(open('/dev/null', O_WRONLY), text('gone')),
    expect: 4,
  },
  {
    name: 'a write of a megabyte to /dev/null returns its count',
    from: 'g:WriteLargeToDevNull',
    run: ({ write, open }) => write(open('/dev/null', O_WRONLY), bytes(1 << 20)),
    expect: 1 << 20,
  },
  {
    name: 'a write to /dev/zero returns its count',
    from: 'g:WriteToDevZero',
    run: ({ write, open }) => write(open('/dev/zero', O_WRONLY), text('gone')),
    expect: 4,
  },
  {
    name: 'a write to a nearly full FIFO writes the bytes that fit',
    from: '(ours; pipe(7), O_NONBLOCK)',
    run({ write, fifo }) {
      const { reader, writer } = fifo();
      writeSync(writer, bytes(65_536 - 8192));
      return [write(writer, bytes(20_000)), drain(reader).length];
    },
    expect: [8192, 65_536],
  },
  {
    name: 'a write of up to PIPE_BUF bytes to a FIFO writes all of them or none',
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
    name: 'a write to a memfd that is sealed against writing is EPERM',
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
    name: 'a write of more than 0x7ffff000 bytes writes 0x7ffff000 bytes',
    from: '(ours; write(2), notes)',
    run: ({ write, open }) => write(open('/dev/null', O_WRONLY), sparse(MAX_RW_COUNT + 1)),
    expect: MAX_RW_COUNT,
    differs: { ...NO_ROOM, std: { expect: MAX_RW_COUNT + 1, why: 'libuv continues after a partial write' } },
  },
  {
    name: 'a write of more than 2³¹−1 bytes writes 0x7ffff000 bytes',
    from: '(ours)',
    run: ({ write, open }) => write(open('/dev/null', O_WRONLY), sparse(2 ** 31)),
    expect: MAX_RW_COUNT,
    differs: { ...NO_ROOM, std: { expect: EINVAL, why: 'Node refuses the length without a system call' } },
  },
];

// Writes from an address instead of from bytes, and memory that is not what a write expects. What the
// kernel refuses here, a mistake could make fatal: this is for `syswire probe`, in a process of its own.

import type { LevelId } from '../protocol/names.js';
import { type Addon, addon, type WriteFrom } from './bindings/addon.js';
import { checked } from './bindings/errno.js';
import { lastErrno, lazy } from './bindings/libc.js';

const libcWrite = lazy<WriteFrom>('intptr_t write(int fd, uintptr_t address, size_t count)');

const ofAddon = (pick: (of: Addon) => WriteFrom): WriteFrom | undefined =>
  typeof addon === 'string' ? undefined : pick(addon);

/** The levels that can be given an address; `std` and `uring` are given bytes only. */
export const WRITE_FROM: Partial<Record<LevelId, WriteFrom | undefined>> = {
  raw: ofAddon(({ writeFrom }) => writeFrom),
  int80: ofAddon(({ int80 }) => int80.writeFrom),
  os(fd, address, count) {
    const result = libcWrite(fd, address, count);
    return result < 0 ? -lastErrno() : result;
  },
};

const mmap = lazy<
  (at: bigint, size: number, protection: number, flags: number, fd: number, offset: number) => number | bigint
>('intptr_t mmap(uintptr_t at, size_t size, int protection, int flags, int fd, int64_t offset)');
const munmap = lazy<(at: bigint, size: number) => number>('int munmap(uintptr_t at, size_t size)');

/** Bytes that are mapped and protected as one: 16 KiB holds a whole number of pages wherever Linux runs here. */
const PAGES = 16_384;
const PROT_NONE = 0;
const PROT_READ = 1;
/** MAP_PRIVATE | MAP_ANONYMOUS, and MAP_32BIT on x86-64: below 4 GiB, where int80's registers reach. */
const MAP_FLAGS = 0x22 | (process.arch === 'x64' ? 0x40 : 0);

function map(size: number, protection: number): bigint {
  const at = BigInt(mmap(0n, size, protection, MAP_FLAGS, -1, 0));
  checked(at === -1n ? -1 : 0, 'mmap');
  return at;
}

/** Readable memory with nothing behind it. */
function mapWithEnd(): bigint {
  const at = map(2 * PAGES, PROT_READ);
  checked(munmap(at + BigInt(PAGES), PAGES), 'munmap');
  return at;
}

/** What one call is made with. `fd` null: a regular file. */
export type Hostile = { about: string; make: () => { fd: number | null; address: bigint; count: bigint } };

export const HOSTILE: Record<string, Hostile> = {
  'null-0': { about: 'no bytes from a null address', make: () => ({ fd: null, address: 0n, count: 0n }) },
  'null-1': { about: 'one byte from a null address', make: () => ({ fd: null, address: 0n, count: 1n }) },
  protected: {
    about: 'from memory that may not be read (PROT_NONE)',
    make: () => ({ fd: null, address: map(PAGES, PROT_NONE), count: 1n }),
  },
  'runs-off': {
    about: 'from 4096 bytes before the end of a mapping, 8192 bytes',
    make: () => ({ fd: null, address: mapWithEnd() + BigInt(PAGES - 4096), count: 8192n }),
  },
  'too-long': {
    about: 'from readable memory, but a count that goes far beyond any',
    make: () => ({ fd: null, address: mapWithEnd(), count: 1n << 62n }),
  },
  'fd-negative': { about: 'to descriptor -1', make: () => ({ fd: -1, address: mapWithEnd(), count: 1n }) },
  'fd-highest': {
    about: 'to descriptor 2147483647',
    make: () => ({ fd: 2_147_483_647, address: mapWithEnd(), count: 1n }),
  },
};

// Writes with an invalid address, count or descriptor. A mistake of ours could crash the process, so `syswire probe`
// makes these calls in a child process.
import type { LevelId } from '../protocol/names.js';
import { type Addon, addon, type WriteFrom } from './bindings/addon.js';
import { orThrow } from './bindings/errno.js';
import { lastErrno, lazy } from './bindings/libc.js';

const libcWrite = lazy<WriteFrom>('intptr_t write(int fd, uintptr_t address, size_t count)');

const fromAddon = (select: (addon: Addon) => WriteFrom): WriteFrom | undefined =>
  typeof addon === 'string' ? undefined : select(addon);

/**
 * The levels that take an address; undefined where the addon could not be loaded. `std` and `uring` take only bytes.
 */
export const WRITE_FROM: Partial<Record<LevelId, WriteFrom | undefined>> = {
  raw: fromAddon(({ writeFrom }) => writeFrom),
  int80: fromAddon(({ int80 }) => int80.writeFrom),
  os(fd, address, count) {
    const result = libcWrite(fd, address, count);
    return result < 0 ? -lastErrno() : result;
  },
};

const mmap = lazy<
  (at: bigint, size: number, protection: number, flags: number, fd: number, offset: number) => number | bigint
>('intptr_t mmap(uintptr_t at, size_t size, int protection, int flags, int fd, int64_t offset)');
const munmap = lazy<(at: bigint, size: number) => number>('int munmap(uintptr_t at, size_t size)');

/** The unit in which memory is mapped and protected, in bytes: a multiple of a page of 4 or 16 KiB. */
const MAPPING_SIZE = 16_384;
const PROT_NONE = 0;
const PROT_READ = 1;
/** MAP_PRIVATE | MAP_ANONYMOUS; on x86-64 also MAP_32BIT, because int80's registers hold 32 bits of an address. */
const MAP_FLAGS = 0x22 | (process.arch === 'x64' ? 0x40 : 0);

function map(size: number, protection: number): bigint {
  const at = BigInt(mmap(0n, size, protection, MAP_FLAGS, -1, 0));
  orThrow(at === -1n ? -1 : 0, 'mmap');
  return at;
}

/** Maps MAPPING_SIZE bytes of readable memory, with unmapped memory behind it. Returns its address. */
function mapWithEnd(): bigint {
  const at = map(2 * MAPPING_SIZE, PROT_READ);
  orThrow(munmap(at + BigInt(MAPPING_SIZE), MAPPING_SIZE), 'munmap');
  return at;
}

/** One call: its description for people, and its arguments. `fd` is null for a regular file, which the caller opens. */
export type Hostile = { about: string; make: () => { fd: number | null; address: bigint; count: bigint } };

/** The calls of `syswire probe`, by name. `make` maps the memory for one call. */
export const HOSTILE: Record<string, Hostile> = {
  'null-0': { about: '0 bytes from address 0', make: () => ({ fd: null, address: 0n, count: 0n }) },
  'null-1': { about: '1 byte from address 0', make: () => ({ fd: null, address: 0n, count: 1n }) },
  protected: {
    about: '1 byte from memory that may not be read (PROT_NONE)',
    make: () => ({ fd: null, address: map(MAPPING_SIZE, PROT_NONE), count: 1n }),
  },
  'runs-off': {
    about: '8192 bytes, starting 4096 bytes before the end of a mapping',
    make: () => ({ fd: null, address: mapWithEnd() + BigInt(MAPPING_SIZE - 4096), count: 8192n }),
  },
  'too-long': {
    about: '2^62 bytes from readable memory, far more than is mapped',
    make: () => ({ fd: null, address: mapWithEnd(), count: 1n << 62n }),
  },
  'fd-negative': { about: '1 byte to descriptor -1', make: () => ({ fd: -1, address: mapWithEnd(), count: 1n }) },
  'fd-highest': {
    about: '1 byte to descriptor 2147483647',
    make: () => ({ fd: 2_147_483_647, address: mapWithEnd(), count: 1n }),
  },
};

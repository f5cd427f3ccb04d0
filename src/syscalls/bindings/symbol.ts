// Finds a function of libc in this process: its file, its address and its machine code.
// https://man7.org/linux/man-pages/man3/dladdr.3.html
import path from 'node:path';
import { koffi } from './koffi.js';
import { lazy } from './libc.js';

export type SymbolLocation = {
  /** The path of the file that the function was loaded from. */
  file: string;
  /**
   * True if the address is a stub in the executable's PLT, not the function itself. This happens in a Node that is
   * linked to a fixed address: the dynamic linker then returns the stub's address to every caller, and the symbol has
   * no size.
   */
  isStub: boolean;
  address: bigint;
  /** The machine code, read back from memory; null where its length is unknown. */
  code: Uint8Array | null;
};

/** Finds the first definition in the dynamic linker's order, the one that every caller gets: dlsym(3). */
const RTLD_DEFAULT = process.platform === 'darwin' ? -2 : 0;
/** Makes dladdr1(3) return the ELF symbol. */
const RTLD_DL_SYMENT = 1;
/** The offset of st_size in an Elf64_Sym, in bytes: elf(5). */
const ST_SIZE_OFFSET = 16;

type DlInfo = { dli_fname: string };
let isDefined = false;

/** Defines Dl_info for the prototypes below: dladdr(3). */
function defineDlInfo(): void {
  if (isDefined) return;
  isDefined = true;
  koffi().struct('Dl_info', {
    dli_fname: 'const char *',
    dli_fbase: 'uintptr_t',
    dli_sname: 'const char *',
    dli_saddr: 'uintptr_t',
  });
}

const dlsym = lazy<(handle: number, name: string) => number | bigint>(
  'uintptr_t dlsym(intptr_t handle, const char *name)',
);
const dladdr = lazy<(address: bigint, info: Partial<DlInfo>) => number>(
  'int dladdr(uintptr_t address, _Out_ Dl_info *info)',
);
const dladdr1 = lazy<(address: bigint, info: Partial<DlInfo>, extra: (number | bigint)[], flags: number) => number>(
  'int dladdr1(uintptr_t address, _Out_ Dl_info *info, _Out_ uintptr_t *extra, int flags)',
);
const memcpy = lazy<(to: Uint8Array, from: bigint, count: number) => bigint>(
  'uintptr_t memcpy(_Out_ uint8_t *to, uintptr_t from, size_t count)',
);

function bytesAt(address: bigint, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  memcpy(bytes, address, count);
  return bytes;
}

/** Returns a function's size in bytes; null on musl and macOS, which have no dladdr1. */
function sizeOf(address: bigint): number | null {
  try {
    const entry: (number | bigint)[] = [0];
    if (!dladdr1(address, {}, entry, RTLD_DL_SYMENT) || !entry[0]) return null;
    return Number(bytesAt(BigInt(entry[0]), ST_SIZE_OFFSET + 8).readBigUInt64LE(ST_SIZE_OFFSET));
  } catch {
    return null;
  }
}

/**
 * Returns the path of a file that the dynamic linker knows by `name`: the executable by the name with which it was started,
 * such as `node`; a library by the path that was given, which LD_PRELOAD may give as a relative one.
 */
export const loadedFile = (name: string): string => (name === process.argv0 ? process.execPath : path.resolve(name));

/**
 * Finds a function by name.
 *
 * @returns null if there is none, if dladdr(3) does not know its file, or if koffi cannot be loaded
 */
export function locate(name: string): SymbolLocation | null {
  try {
    defineDlInfo();
  } catch {
    return null;
  }
  const address = BigInt(dlsym(RTLD_DEFAULT, name));
  const info: Partial<DlInfo> = {};
  if (address === 0n || !dladdr(address, info) || !info.dli_fname) return null;
  const size = sizeOf(address);
  return { file: loadedFile(info.dli_fname), isStub: size === 0, address, code: size ? bytesAt(address, size) : null };
}

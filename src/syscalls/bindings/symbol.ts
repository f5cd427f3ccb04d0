// Where a function of libc was found in this process, and the machine code that lies there.
// https://man7.org/linux/man-pages/man3/dladdr.3.html
import path from 'node:path';
import koffi from 'koffi';
import { lazy } from './libc.js';

export type Located = {
  /** The file that it was loaded from. */
  file: string;
  /**
   * Whether it is the executable's own way to the function (its PLT), as in a Node at a fixed address: there the
   * dynamic linker gives everybody that one address, and the symbol has no size.
   */
  isStub: boolean;
  address: bigint;
  /** Its machine code, read back from memory; null where the platform does not say how long it is. */
  code: Uint8Array | null;
};

/** RTLD_DEFAULT: the first definition in the order of the dynamic linker, as every caller gets it. */
const RTLD_DEFAULT = process.platform === 'darwin' ? -2 : 0;
/** Asks dladdr1 for the ELF symbol, whose fields say the size: st_size, 16 bytes into an Elf64_Sym. */
const RTLD_DL_SYMENT = 1;
const ST_SIZE = 16;

type DlInfo = { dli_fname: string };
koffi.struct('Dl_info', {
  dli_fname: 'const char *',
  dli_fbase: 'uintptr_t',
  dli_sname: 'const char *',
  dli_saddr: 'uintptr_t',
});
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

/** The function's size in bytes; null on musl and macOS, which have no dladdr1. */
function sizeOf(address: bigint): number | null {
  try {
    const entry: (number | bigint)[] = [0];
    if (!dladdr1(address, {}, entry, RTLD_DL_SYMENT) || !entry[0]) return null;
    return Number(bytesAt(BigInt(entry[0]), ST_SIZE + 8).readBigUInt64LE(ST_SIZE));
  } catch {
    return null;
  }
}

/** @returns null where there is no function of that name, or nobody can say where it is from */
export function locate(name: string): Located | null {
  const address = BigInt(dlsym(RTLD_DEFAULT, name));
  const info: Partial<DlInfo> = {};
  if (address === 0n || !dladdr(address, info) || !info.dli_fname) return null;
  const size = sizeOf(address);
  // The executable is called what it was called by: `node`, say.
  const file = path.isAbsolute(info.dli_fname) ? info.dli_fname : process.execPath;
  return { file, isStub: size === 0, address, code: size ? bytesAt(address, size) : null };
}

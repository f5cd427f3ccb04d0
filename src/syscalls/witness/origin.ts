// Finds the file that a system call came from, and decides whether it is the place from which a level makes its calls.
import path from 'node:path';
import type { LevelId } from '../../protocol/names.js';
import { type Addon, addon, addonPath, type NativeLevel } from '../bindings/addon.js';

export type Origin = {
  /** The path of the file that the instruction was loaded from; null for code that was made at run time. */
  file: string | null;
  /** The instruction's address in the file, as objdump and addr2line take it; null without a file. */
  offset: number | null;
  /** The exported function that the instruction belongs to; null if it belongs to none. */
  symbol: string | null;
  /** The instruction's address in this process, in hexadecimal. */
  address: string;
  /** True if the level makes its calls from there. Without a level: if any level does. */
  isLevel: boolean;
};

type Place = Pick<Origin, 'file' | 'offset' | 'symbol'>;

/**
 * The file names of libc. In glibc before 2.34, `write` is also in libpthread; musl's libc is its dynamic linker.
 */
const LIBC = /^(?:lib(?:c|pthread)[.-]|ld-musl-)/;

/** The size of `syscall` and `int $0x80` in bytes. Both end the code of their level. */
const INSTRUCTION_SIZE = 2n;

/** The levels that have an instruction of their own, and its functions. */
const OWN: Partial<Record<LevelId, (addon: Addon) => NativeLevel>> = {
  raw: (addon) => addon,
  int80: ({ int80 }) => int80,
  uring: ({ uring }) => uring,
};

const instructions = new Map<LevelId, bigint>();

/** Returns the address of the instruction with which a level enters the kernel to write. */
function instructionOf(level: LevelId, native: Addon): bigint | undefined {
  const functions = OWN[level]?.(native);
  if (functions && !instructions.has(level))
    instructions.set(level, functions.address() + BigInt(functions.code().length) - INSTRUCTION_SIZE);
  return instructions.get(level);
}

const isLibc = (file: string): boolean => LIBC.test(path.basename(file)) || file === process.execPath;

/** By name of the call with which a level writes, which must come from its own instruction. */
const MAIN_CALL = /^(?:write|io_uring_enter)$/;

function isFromLevel(level: LevelId, name: string, address: bigint, file: string | null, native: Addon): boolean {
  const instruction = instructionOf(level, native);
  // libc may be linked into the executable.
  if (instruction === undefined) return file !== null && isLibc(file);
  return MAIN_CALL.test(name) ? address === instruction : file === addonPath();
}

/** By address. Only found files are kept: code without a file may be replaced by other code. */
const places = new Map<bigint, Place>();

function placeOf(address: bigint, native: Addon): Place {
  const known = places.get(address);
  if (known) return known;
  const found = native.witness.locate(address);
  if (!found) return { file: null, offset: null, symbol: null };
  // For the executable, the dynamic linker knows the name by which it was started, such as `node`.
  const isName = !path.isAbsolute(found.file) && !found.file.startsWith('linux-vdso');
  const place = { file: isName ? process.execPath : found.file, offset: found.offset, symbol: found.symbol };
  places.set(address, place);
  return place;
}

/**
 * Finds the origin of a system call.
 *
 * @param name the call's name
 * @param address the instruction's address
 * @param levels the levels whose call it may be
 */
export function originOf(name: string, address: bigint, levels: readonly LevelId[]): Origin {
  const native = addon as Addon;
  const place = placeOf(address, native);
  const isLevel = levels.some((level) => isFromLevel(level, name, address, place.file, native));
  return { ...place, address: `0x${address.toString(16)}`, isLevel };
}

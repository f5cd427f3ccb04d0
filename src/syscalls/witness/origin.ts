// Finds the file that a system call came from, and decides whether it is the place from which a level makes its calls.
import path from 'node:path';
import type { LevelId } from '../../protocol/names.js';
import type { Origin } from '../../protocol/system-call.js';
import { type Addon, addon, addonPath, type NativeLevel } from '../bindings/addon.js';
import { loadedFile } from '../bindings/symbol.js';

/** A place that calls come from, with what does not change about it. */
type Place = Omit<Origin, 'isLevel'> & {
  /** The level whose own instruction this is. */
  instructionOf: LevelId | null;
  isAddon: boolean;
  isLibc: boolean;
};

/**
 * The file names of libc. In glibc before 2.34, `write` is also in libpthread; musl's libc is its dynamic linker.
 */
const LIBC = /^(?:lib(?:c|pthread)[.-]|ld-musl-)/;

/** The size of `syscall` and `int $0x80` in bytes. Both end the code of their level. */
const INSTRUCTION_SIZE = 2;

/** The levels that have an instruction of their own, and its functions. */
const OWN: Partial<Record<LevelId, (addon: Addon) => NativeLevel>> = {
  raw: (addon) => addon,
  int80: ({ int80 }) => int80,
  uring: ({ uring }) => uring,
};

function levelAt(address: number, native: Addon): LevelId | null {
  for (const [level, select] of Object.entries(OWN)) {
    const functions = select(native);
    if (Number(functions.address()) + functions.code().length - INSTRUCTION_SIZE === address) return level as LevelId;
  }
  return null;
}

function find(address: number, native: Addon): Place {
  const found = native.witness.locate(BigInt(address));
  const file = found ? loadedFile(found.file) : null;
  return {
    file,
    offset: found?.offset ?? null,
    symbol: found?.symbol ?? null,
    address: `0x${address.toString(16)}`,
    instructionOf: levelAt(address, native),
    isAddon: file === addonPath(),
    // libc may be linked into the executable.
    isLibc: file !== null && (LIBC.test(path.basename(file)) || file === process.execPath),
  };
}

/** By address. Only places in files are kept: code without a file may be replaced by other code. */
const places = new Map<number, Place>();

function placeOf(address: number, native: Addon): Place {
  const known = places.get(address);
  if (known) return known;
  const place = find(address, native);
  if (place.file !== null) places.set(address, place);
  return place;
}

/** The calls with which a level writes. They must come from its own instruction, others from anywhere in the addon. */
const isMainCall = (name: string): boolean => name === 'write' || name === 'io_uring_enter';

function isFromLevel(level: LevelId, name: string, place: Place): boolean {
  if (!OWN[level]) return isMainCall(name) && place.isLibc;
  return isMainCall(name) ? place.instructionOf === level : place.isAddon;
}

/**
 * Finds the origin of a system call.
 *
 * @param name the call's name
 * @param address the instruction's address
 * @param levels the levels whose call it may be
 */
export function originOf(name: string, address: number, levels: readonly LevelId[]): Origin {
  const place = placeOf(address, addon as Addon);
  const isLevel = levels.some((level) => isFromLevel(level, name, place));
  return { file: place.file, offset: place.offset, symbol: place.symbol, address: place.address, isLevel };
}

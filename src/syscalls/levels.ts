// The table of levels, and the library's door: import { levels } from 'syswire/syscalls'.
import type { Convention, Level, LevelId } from './contract.js';
import { INT80, int80 } from './int80.js';
import { os } from './os.js';
import { RAW, raw } from './raw.js';
import { std } from './std.js';
import { URING, uring } from './uring.js';

export type { Convention, Level, LevelId, Registers, Via, Write } from './contract.js';
export { type OsError, osError } from './errno.js';

export const levels: Record<LevelId, Level> = { raw, int80, uring, os, std };

const here = `${process.platform}-${process.arch}`;

/** The levels of our own instructions as they are made on other platforms: from the table, not from this machine. */
export const elsewhere: ({ id: LevelId; platform: string } & Convention)[] = Object.entries({
  raw: RAW,
  int80: INT80,
  uring: URING,
}).flatMap(([id, platforms]) =>
  Object.entries(platforms)
    .filter(([platform]) => platform !== here)
    .map(([platform, convention]) => ({ id: id as LevelId, platform, ...convention })),
);

// The table of levels, and the library's door: import { levels } from 'syswire/syscalls'.
import type { LevelId } from '../protocol/names.js';
import type { Convention, Level } from './contract.js';
import { INT80, int80 } from './levels/int80.js';
import { os } from './levels/os.js';
import { RAW, raw } from './levels/raw.js';
import { std } from './levels/std.js';
import { URING, uring } from './levels/uring.js';

export type { LevelId } from '../protocol/names.js';
export { type OsError, osError } from './bindings/errno.js';
export type { Convention, Level, Registers, Via, Write } from './contract.js';

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

// The table of levels, and the library's door: import { levels } from 'syswire/syscalls'.
import type { Level, LevelId } from './contract.js';
import { int80 } from './int80.js';
import { os } from './os.js';
import { raw } from './raw.js';
import { std } from './std.js';
import { uring } from './uring.js';

export type { Level, LevelId, Registers, Via, Write } from './contract.js';
export { type OsError, osError } from './errno.js';

export const levels: Record<LevelId, Level> = { raw, int80, uring, os, std };

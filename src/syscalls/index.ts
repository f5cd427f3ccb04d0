// The library's entry point: import { levels } from 'syswire/syscalls'.
import './require-node.js';

import type { LevelId } from '../protocol/names.js';
import type { Convention, Level } from './contract.js';
import { INT80, int80 } from './levels/int80.js';
import { os } from './levels/os.js';
import { RAW, raw } from './levels/raw.js';
import { std } from './levels/std.js';
import { URING, uring } from './levels/uring.js';

export type { LevelId } from '../protocol/names.js';
export type { Origin, OsError, SystemCall, SystemCallList, WitnessReport } from '../protocol/system-call.js';
export { osError, outcomeOf } from './bindings/errno.js';
export type { Convention, Level, Registers, Via, Write } from './contract.js';
export { type Claim, verdictOf } from './witness/verdict.js';
export { type Witnessed, type WitnessOptions, witness, witnessAvailability } from './witness/witness.js';
export { witnessWrite } from './witness/write.js';

/** Every level by its id. A level that is not available here is listed too, with the `reason`. */
export const levels: Record<LevelId, Level> = { raw, int80, uring, os, std };

const thisPlatform = `${process.platform}-${process.arch}`;

/**
 * The instructions of raw, int80 and uring on other platforms than this machine's. They come from the tables in
 * levels/; `platform` is `process.platform` and `process.arch` with a dash between them.
 */
export const elsewhere: ({ id: LevelId; platform: string } & Convention)[] = Object.entries({
  raw: RAW,
  int80: INT80,
  uring: URING,
}).flatMap(([id, platforms]) =>
  Object.entries(platforms)
    .filter(([platform]) => platform !== thisPlatform)
    .map(([platform, convention]) => ({ id: id as LevelId, platform, ...convention })),
);

// One write under a witness, and what the witness says about it.
import type { WitnessReport } from '../../protocol/system-call.js';
import { isWakeUp } from '../../protocol/system-call-text.js';
import type { Level } from '../contract.js';
import { descriptorOf, verdictOf } from './verdict.js';
import { MAX_CALLS, witness } from './witness.js';

/**
 * Makes one write at a level under a witness.
 *
 * @returns the level's result, and the report
 * @throws as `witness` does
 */
export function witnessWrite(
  level: Pick<Level, 'id' | 'write'>,
  fd: number,
  bytes: Uint8Array,
): { result: number; report: WitnessReport } {
  // Reading it opens the level, so that its first use is not part of the list.
  const { id, write } = level;
  // V8 may make many calls when it collects garbage, and the verdict needs those of the level.
  const { result, ...list } = witness(() => write(fd, bytes), { level: id, limit: MAX_CALLS });
  // libuv wakes an event loop by libc's write, from where `os` and `std` write.
  for (const { origin, ...call } of list.systemCalls)
    if (isWakeUp(call) && descriptorOf(call) !== fd) origin.isLevel = false;
  const verdict = verdictOf({ level: id, fd, requested: bytes.byteLength, result, bytes }, list);
  return { result, report: { ...list, verdict } };
}

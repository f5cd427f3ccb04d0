// One write under a witness, and what the witness says about it.
import type { Level } from '../contract.js';
import { AGREES, verdictOf } from './verdict.js';
import { type Witnessed, witness } from './witness.js';

export type WitnessReport = Omit<Witnessed<number>, 'result'> & {
  /** True if the system calls confirm what the level returned. */
  agrees: boolean;
  /** `agrees`, or one sentence that says what does not. */
  verdict: string;
};

/**
 * Makes one write at a level under a witness.
 *
 * @returns the level's result, and the report
 * @throws as `witness` does
 */
export function witnessWrite(level: Level, fd: number, bytes: Uint8Array): { result: number; report: WitnessReport } {
  // Reading it opens the level, so that its first use is not part of the list.
  const { id, write } = level;
  const { result, ...list } = witness(() => write(fd, bytes), { level: id });
  const verdict = verdictOf({ level: id, fd, requested: bytes.byteLength, result, bytes }, list);
  return { result, report: { agrees: verdict === AGREES, verdict, ...list } };
}

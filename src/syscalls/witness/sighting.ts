// One call of each level, made under a witness so that its way into the kernel is seen, not promised.
import type { LevelId } from '../../protocol/names.js';
import type { WitnessReport } from '../../protocol/system-call.js';
import type { Level } from '../contract.js';
import { openNull } from '../targets/null.js';
import { witnessAvailability } from './witness.js';
import { witnessWrite } from './write.js';

/**
 * Makes one call of a level to the target `null`.
 *
 * @returns what the witness saw; null if there is no witness, or the level or the target is not available
 */
export function sightingOf(level: Level): WitnessReport | null {
  if (!level.available || !witnessAvailability().available) return null;
  // A descriptor of its own: a tracer's list of calls to the service's targets stays as it is.
  const target = openNull();
  try {
    if (target.reason !== null) return null;
    return witnessWrite(level, target.fd, Buffer.from('hello\n')).report;
  } finally {
    target.close();
  }
}

/**
 * Returns a function that returns what was seen of each level. It makes a level's call when it is first asked. A witness
 * may be missing for a time, because this process handles SIGSYS, so only what was seen is kept.
 */
export function createSightings(levels: Record<LevelId, Level>): (id: LevelId) => WitnessReport | null {
  const seen = new Map<LevelId, WitnessReport>();
  return (id) => {
    const report = seen.get(id) ?? sightingOf(levels[id]);
    if (report !== null) seen.set(id, report);
    return report;
  };
}

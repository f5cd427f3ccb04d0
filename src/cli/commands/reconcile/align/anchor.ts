// The nearest place ahead from which both sides agree again.
//
// Example: records with the counts 1 2 3 4 5 6 7 …, a trace with 5 6 7 … only. Record 5 has the count of write 0,
// and from there eight records in a row agree with their writes: the anchor is 4 records and 0 writes ahead.
// One pair alone would prove nothing, since many calls are alike. Their times must fit what is known of the clock; if no
// such place is found, the clock may have been set: then they must only fit each other.
import { type Bounds, boundsOf, contradiction, narrow } from '../clock.js';
import { explainExactly } from '../explain/explain.js';
import type { TracedWrite } from '../formats/format.js';
import type { LookAhead } from '../look-ahead.js';
import type { RecordedCall } from '../record-line.js';
import type { Sides } from './steps.js';

/** The number of records in a row that must agree. */
const RUN = 8;
/** The most places that are tried. Where all calls are alike, there are millions. */
const MOST_TRIED = 200_000;

/** The numbers of records and of writes before the place. */
export type Anchor = { calls: number; writes: number };

const keyOf = ({ fd, count }: RecordedCall | TracedWrite): string => `${fd} ${count}`;

/** Returns the places of the writes at hand by descriptor and count. */
function indexWrites(writes: LookAhead<TracedWrite>): Map<string, number[]> {
  const places = new Map<string, number[]>();
  for (let index = 0; index < writes.size(); index++) {
    const key = keyOf(writes.at(index) as TracedWrite);
    const known = places.get(key);
    if (known) known.push(index);
    else places.set(key, [index]);
  }
  return places;
}

/** Do the records from a place on agree with the writes from there on, RUN of them in a row? */
function agreesFrom({ calls, writes, clock }: Sides, place: Anchor, isClockSet: boolean): boolean {
  let nextWrite = place.writes;
  let bounds: Bounds | undefined;
  for (let run = 0; run < RUN; run++) {
    const call = calls.at(place.calls + run);
    const write = writes.at(nextWrite);
    // Both sides end together: shorter than RUN, but nothing contradicts.
    if (!call && !write) return run > 0;
    if (!call || !write) return false;
    if (!isClockSet && !clock.fits(call, write)) return false;
    if (isClockSet && write.time !== undefined) {
      const found = boundsOf(call, write.time);
      if (bounds && contradiction(bounds, found) > 0) return false;
      bounds = bounds ? narrow(bounds, found) : found;
    }
    const explanation = explainExactly(call, (index) => writes.at(nextWrite + index));
    if (!explanation) return false;
    nextWrite += explanation.used;
  }
  return true;
}

/** Finds the nearest place, by records and writes together, among those at hand. */
function findNearest(sides: Sides, places: Map<string, number[]>, isClockSet: boolean): Anchor | undefined {
  const { calls } = sides;
  let nearest: Anchor | undefined;
  let distance = Number.POSITIVE_INFINITY;
  let tried = 0;
  for (let call = 0; call < Math.min(calls.size(), distance); call++) {
    for (const write of places.get(keyOf(calls.at(call) as RecordedCall)) ?? []) {
      if (call + write >= distance) break;
      tried += 1;
      if (tried > MOST_TRIED) return nearest;
      if (!agreesFrom(sides, { calls: call, writes: write }, isClockSet)) continue;
      nearest = { calls: call, writes: write };
      distance = call + write;
      break;
    }
  }
  return nearest;
}

/** Finds the nearest place among those at hand. @param isClockSet without regard to what is known of the clock */
export const findAnchor = (sides: Sides, isClockSet: boolean): Anchor | undefined =>
  findNearest(sides, indexWrites(sides.writes), isClockSet);

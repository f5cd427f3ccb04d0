// The wall clock at the resolution of performance.now().

/** How far the two clocks may drift apart before the difference is taken anew, in ms: Date.now() has whole ones. */
const TOLERANCE_MS = 2;

let epoch = performance.timeOrigin;

/**
 * Milliseconds since 1970 at `now`, a reading of performance.now() that was taken just before.
 *
 * performance.timeOrigin alone would not do: performance.now() does not follow when the wall clock is set, nor does it
 * count the time that a suspended machine slept.
 */
export function wallTimeOf(now: number): number {
  const wall = Date.now();
  if (Math.abs(wall - epoch - now) > TOLERANCE_MS) epoch = wall - now;
  return epoch + now;
}

// The wall clock, with the resolution of performance.now().

/** The drift of the two clocks above which their difference is measured again, in ms. Date.now() has whole ms only. */
const TOLERANCE_MS = 2;

let epoch = performance.timeOrigin;

/**
 * Returns the wall clock's time at `now`.
 *
 * It does not use performance.timeOrigin alone: performance.now() does not follow when the wall clock is set, and does
 * not count the time during which the machine is suspended.
 *
 * @param now a reading of performance.now(), taken just before
 * @returns milliseconds since 1970, with fractions
 */
export function wallTimeOf(now: number): number {
  const wall = Date.now();
  if (Math.abs(wall - epoch - now) > TOLERANCE_MS) epoch = wall - now;
  return epoch + now;
}

// How far a tracer's clock is from that of the records, learned from the calls that match.
import type { Recorded } from './explain.js';
import type { Traced } from './traces.js';

/** What the stamps of both sides may be wrong by, in ms: strace rounds to microseconds. */
const SLACK = 0.05;
/** So many matches in a row must agree on the difference before it is relied on. */
const ENOUGH = 8;
/** What the clocks of one machine differ by, in ms, where both sides count from 1970: a service's is that exact. */
const SAME_MACHINE = 5;
/** A write further from a call than this, in ms, is not its own. */
const FAR_OFF = 50;

/** Whether a time counts from 1970, in ms, and not from the start of the machine or of the trace. */
const isEpoch = (time: number): boolean => time > 1e11;

export type Clock = {
  /** Whether the traced write may be this call by its time; true where nothing is known. */
  fits: (call: Recorded, seen: Traced) => boolean;
  /** Whether it is so far off that it cannot be this call. */
  isFarOff: (call: Recorded, seen: Traced) => boolean;
  /** Takes in a match. */
  learn: (call: Recorded, seen: Traced) => void;
  /** The time of a traced write by the records' clock, where that can be told. */
  timeOf: (seen: Traced) => number | undefined;
};

/**
 * A write falls between its record's time and its end, so each match bounds the difference from
 * both sides. One that contradicts those before it starts anew: a clock was set, or the tracer's
 * stamps are too rough to be of use, and then they are not used.
 */
export function createClock(): Clock {
  let least = -SAME_MACHINE;
  let most = SAME_MACHINE;
  let agreed = 0;
  let isNew = true;

  const isKnown = (time: number): boolean => agreed >= ENOUGH || (isNew && isEpoch(time));
  /** By how much the time of a write contradicts that of a call. */
  function offBy(call: Recorded, { time }: Traced): number {
    if (time === undefined || !isKnown(time)) return 0;
    return Math.max(least, time - call.end - SLACK) - Math.min(most, time - call.time + SLACK);
  }

  return {
    fits: (call, seen) => offBy(call, seen) <= 0,
    isFarOff: (call, seen) => offBy(call, seen) > FAR_OFF,
    learn(call, { time }) {
      if (time === undefined) return;
      const from = time - call.end - SLACK;
      const to = time - call.time + SLACK;
      const isAgreed = Math.max(least, from) <= Math.min(most, to);
      least = isAgreed ? Math.max(least, from) : from;
      most = isAgreed ? Math.min(most, to) : to;
      agreed = isAgreed ? agreed + 1 : 0;
      isNew &&= isAgreed;
    },
    timeOf({ time }) {
      if (time === undefined) return undefined;
      if (agreed >= ENOUGH) return time - (least + most) / 2;
      return isEpoch(time) ? time : undefined;
    },
  };
}

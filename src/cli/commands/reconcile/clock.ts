// The offset of the tracer's clock from that of the records, learned from the calls that match.
//
// A write falls between the start and the end of its call, so each match bounds the offset from both sides:
//   record 1000.0 to 1000.4 ms, traced at 5000.3    the offset is from 3999.9 to 4000.3
//   record 1002.0 to 1002.1 ms, traced at 6002.2    the offset is from 5000.1 to 5000.2: this contradicts
// A match that contradicts those before it starts anew. Either a clock was set, the tracer's clock stands still while
// the machine sleeps, its day began again at midnight, or its times are too rough to be of use.
import type { TracedWrite } from './formats/format.js';
import type { RecordedCall } from './record-line.js';

/** The error of the times of both sides, in ms: strace rounds to microseconds. */
const SLACK = 0.05;
/** The number of matches in a row that must agree on the offset before small differences count. */
const ENOUGH_MATCHES = 8;
/** The largest offset, in ms, of two clocks of one machine that both count from 1970. */
const SAME_MACHINE = 5;
/** A write further from a call than this, in ms, belongs to another call, or a clock was set. */
export const FAR_OFF = 50;

/** Does a time count from 1970, in ms? Others count from the start of the machine or of the trace. */
export const isEpoch = (time: number): boolean => time > 1e11;

/** The bounds of the offset, in ms. */
export type Bounds = { lowest: number; highest: number };

/** Returns the error of a time in ms: one without a fraction may have been rounded to seconds or milliseconds. */
function errorOf(time: number): number {
  if (!Number.isInteger(time)) return SLACK;
  return SLACK + (time % 1000 === 0 ? 1000 : 1);
}

/** Returns the bounds of the offset if a write is that of a call. */
export function boundsOf(call: RecordedCall, time: number): Bounds {
  const error = errorOf(time);
  return { lowest: time - call.end - error, highest: time - call.time + error };
}

/** Returns by how many ms two pairs of bounds contradict each other; 0 or less: not at all. */
export const contradiction = (one: Bounds, other: Bounds): number =>
  Math.max(one.lowest, other.lowest) - Math.min(one.highest, other.highest);

/** Returns the bounds that two pairs have in common; the later ones if they contradict each other. */
export const narrow = (earlier: Bounds, later: Bounds): Bounds =>
  contradiction(earlier, later) > 0
    ? later
    : {
        lowest: Math.max(earlier.lowest, later.lowest),
        highest: Math.min(earlier.highest, later.highest),
      };

export type Clock = {
  /** May the write belong to the call, by its time? True while the offset is unknown. */
  fits: (call: RecordedCall, write: TracedWrite) => boolean;
  /** Is the write so far off that it belongs to another call, unless a clock was set? */
  isFarOff: (call: RecordedCall, write: TracedWrite) => boolean;
  /** Learns from a call and its write. */
  learn: (call: RecordedCall, write: TracedWrite) => void;
  /** Returns the bounds of the offset for a time of the tracer; undefined while it is unknown. */
  bounds: (time: number | undefined) => Bounds | undefined;
  /** Have no two times been matched yet? Then the bounds are only presumed: both sides may count from 1970. */
  isPresumed: () => boolean;
  /** Returns the time of a write by the records' clock, undefined while the offset is unknown. */
  timeOf: (write: TracedWrite) => number | undefined;
};

const PRESUMED: Bounds = { lowest: -SAME_MACHINE, highest: SAME_MACHINE };

export function createClock(): Clock {
  let learned: Bounds | undefined;
  let agreed = 0;
  /** Did a match contradict those before it? */
  let wasSet = false;

  const bounds: Clock['bounds'] = (time) => learned ?? (time !== undefined && isEpoch(time) ? PRESUMED : undefined);

  /** The same as contradiction() of the bounds, without an object for each of a million calls. */
  function contradictionOf(call: RecordedCall, { time }: TracedWrite): number {
    const known = bounds(time);
    if (!known || time === undefined) return 0;
    const error = errorOf(time);
    return Math.max(known.lowest, time - call.end - error) - Math.min(known.highest, time - call.time + error);
  }

  return {
    bounds,
    fits(call, write) {
      // Before the first contradiction, a time since 1970 is taken to be of the same machine.
      const isExact = agreed >= ENOUGH_MATCHES || (!wasSet && write.time !== undefined && isEpoch(write.time));
      return contradictionOf(call, write) <= (isExact ? 0 : FAR_OFF);
    },
    isFarOff: (call, write) => contradictionOf(call, write) > FAR_OFF,
    learn(call, write) {
      const { time } = write;
      if (time === undefined) return;
      const known = bounds(time);
      const error = errorOf(time);
      const [lowest, highest] = [time - call.end - error, time - call.time + error];
      const isAgreed = !known || contradictionOf(call, write) <= 0;
      agreed = isAgreed ? agreed + 1 : 0;
      wasSet ||= !isAgreed;
      if (learned && isAgreed) {
        learned.lowest = Math.max(learned.lowest, lowest);
        learned.highest = Math.min(learned.highest, highest);
      } else learned = known && isAgreed ? narrow(known, { lowest, highest }) : { lowest, highest };
    },
    isPresumed: () => learned === undefined,
    timeOf({ time }) {
      const known = bounds(time);
      return known && time !== undefined ? time - (known.lowest + known.highest) / 2 : undefined;
    },
  };
}

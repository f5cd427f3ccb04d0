// The offset of the tracer's clock from that of the records, learned from the calls that match.
//
// A write falls between the start and the end of its call, so each match bounds the offset from both sides:
//   record 1000.0 to 1000.4 ms, traced at 5000.3    the offset is from 3999.9 to 4000.3
//   record 1002.0 to 1002.1 ms, traced at 6002.2    the offset is from 5000.1 to 5000.2: this contradicts
// A match that contradicts those before it starts anew. Either a clock was set, or the tracer's times are too
// rough to be of use; then matches never agree for long, and no time is relied on.

import type { TracedWrite } from './formats/format.js';
import type { RecordedCall } from './record-line.js';

/** The error of the times of both sides, in ms: strace rounds to microseconds. */
const SLACK = 0.05;
/** The number of matches in a row that must agree on the offset before it is relied on. */
const ENOUGH_MATCHES = 8;
/** The largest offset, in ms, of two clocks of one machine that both count from 1970. */
const SAME_MACHINE = 5;
/** A write further from a call than this, in ms, belongs to another call. */
const FAR_OFF = 50;

/** Does a time count from 1970, in ms? Others count from the start of the machine or of the trace. */
const isEpoch = (time: number): boolean => time > 1e11;

export type Clock = {
  /** May the write belong to the call, by its time? True while the offset is unknown. */
  fits: (call: RecordedCall, write: TracedWrite) => boolean;
  /** Is the write so far off that it cannot belong to the call? */
  isFarOff: (call: RecordedCall, write: TracedWrite) => boolean;
  /** Learns from a call and its write. */
  learn: (call: RecordedCall, write: TracedWrite) => void;
  /** Returns the time of a write by the records' clock, undefined while the offset is unknown. */
  timeOf: (write: TracedWrite) => number | undefined;
};

export function createClock(): Clock {
  let lowest = -SAME_MACHINE;
  let highest = SAME_MACHINE;
  let agreed = 0;
  let isNew = true;

  // Before the first contradiction, a time since 1970 is taken to be of the same machine.
  const isOffsetKnown = (time: number): boolean => agreed >= ENOUGH_MATCHES || (isNew && isEpoch(time));

  /** Returns by how many ms the time of a write contradicts that of a call; 0 or less: not at all. */
  function contradiction(call: RecordedCall, { time }: TracedWrite): number {
    if (time === undefined || !isOffsetKnown(time)) return 0;
    return Math.max(lowest, time - call.end - SLACK) - Math.min(highest, time - call.time + SLACK);
  }

  return {
    fits: (call, write) => contradiction(call, write) <= 0,
    isFarOff: (call, write) => contradiction(call, write) > FAR_OFF,
    learn(call, { time }) {
      if (time === undefined) return;
      const from = time - call.end - SLACK;
      const to = time - call.time + SLACK;
      const isAgreed = Math.max(lowest, from) <= Math.min(highest, to);
      lowest = isAgreed ? Math.max(lowest, from) : from;
      highest = isAgreed ? Math.min(highest, to) : to;
      agreed = isAgreed ? agreed + 1 : 0;
      isNew &&= isAgreed;
    },
    timeOf({ time }) {
      if (time === undefined) return undefined;
      if (agreed >= ENOUGH_MATCHES) return time - (lowest + highest) / 2;
      return isEpoch(time) ? time : undefined;
    },
  };
}

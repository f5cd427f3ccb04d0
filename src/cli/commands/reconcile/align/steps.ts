// The steps by which two sides are compared: each takes a record, a write, or a record with its writes.
import type { Clock } from '../clock.js';
import { type Explanation, type Field, isExact, type Verdict } from '../explain/explanation.js';
import type { TracedWrite } from '../formats/format.js';
import type { LookAhead } from '../look-ahead.js';
import type { RecordedCall } from '../record-line.js';

/** The two sides, each in the order in which one thread made the calls. */
export type Sides = { calls: LookAhead<RecordedCall>; writes: LookAhead<TracedWrite>; clock: Clock };

/** The items kept at hand on each side: a window of script.ts, and a call of many writes at its edge. */
export const AT_HAND = 512;

export type Step = {
  takesCall: boolean;
  /** The number of writes that it takes. */
  used: number;
  /** The reading of the writes as the call; null if there is no call or no write. */
  explanation: Explanation | null;
};

export const MISSING: Step = { takesCall: true, used: 0, explanation: null };
export const EXTRA: Step = { takesCall: false, used: 1, explanation: null };
export const toStep = (explanation: Explanation): Step => ({ takesCall: true, used: explanation.used, explanation });

/** A record, and what the trace has of it. `isExact`: its writes agree in everything with the record or its witness. */
export type FoundCall = {
  kind: Verdict;
  call: RecordedCall;
  writes: TracedWrite[];
  differs: readonly Field[];
  isExact: boolean;
};
export type Finding = FoundCall | { kind: 'extra'; write: TracedWrite };

export type TakeStep = (step: Step) => void;

/** Returns a function that takes a step at the front of both sides: it reports what it found, and the clock learns. */
export function createTakeStep({ calls, writes, clock }: Sides, report: (finding: Finding) => void): TakeStep {
  return ({ takesCall, used, explanation }) => {
    const call = takesCall ? calls.at(0) : undefined;
    if (call) {
      const taken: TracedWrite[] = [];
      for (let index = 0; index < used; index++) taken.push(writes.at(index) as TracedWrite);
      const kind = explanation?.verdict ?? 'missing';
      const isAgreed = explanation !== null && isExact(explanation);
      if (isAgreed) clock.learn(call, taken[0] as TracedWrite);
      report({ kind, call, writes: taken, differs: explanation?.differs ?? [], isExact: isAgreed });
      calls.drop(1);
    } else report({ kind: 'extra', write: writes.at(0) as TracedWrite });
    writes.drop(used);
  };
}

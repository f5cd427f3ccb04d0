// The place of each difference: between two calls that the trace has, before the first of them or behind the last. Only
// the place shows what a difference means:
//
// - A write before the first call or behind the last may be one that the service made for itself.
// - A write where records are gone is probably that of a record that is gone.
// - With --attached, records before the tracer's first event and behind its last were not watched.
// - A window judges a write only between two of its records.
//
// So differences wait until the next call that the trace has.
import type { Finding } from './align/steps.js';
import type { Clock } from './clock.js';
import type { TracedWrite } from './formats/format.js';
import type { RecordedCall } from './record-line.js';
import type { Overview } from './runs.js';
import type { Window } from './window.js';

/** A write that was made so many ms before the first record or after the last may still be theirs: clocks differ. */
const MARGIN = 10;
/** The most differences that wait. */
const MOST_WAITING = 20_000;

/** The ways in which a finding counts: as what it is, or not. */
export type Placement = 'judged' | 'ignored' | 'unrecorded' | 'notWatched' | 'outside';
/** `unsure`: too many differences in a row to wait for the next call that the trace has. */
type Place = 'first' | 'between' | 'last' | 'unsure';

export type PlaceOptions = {
  overview: Overview;
  clock: Clock;
  /** Is every extra write judged? */
  isStrict: boolean;
  /** Are only the records between the tracer's first and last event judged? */
  isAttached: boolean;
  window: Window | null;
  /** Returns the tracer's first event and its last so far. */
  span: () => { first: TracedWrite | undefined; last: TracedWrite | undefined };
};

type Call = RecordedCall | undefined;

export function createPlaces(
  { overview, clock, isStrict, isAttached, window, span }: PlaceOptions,
  add: (finding: Finding, placement: Placement) => void,
) {
  let waiting: Finding[] = [];
  /** The last call that the trace has. */
  let before: Call;

  /** Was the write made while the records of a run were? Undefined if its time is not known. */
  function isInTime(write: TracedWrite): boolean | undefined {
    const bounds = clock.bounds(write.time);
    if (!bounds || write.time === undefined) return undefined;
    const [earliest, latest] = [write.time - bounds.highest, write.time - bounds.lowest];
    return [...overview.spans.values()].some(
      ({ first, last }) => latest >= first - MARGIN && earliest <= last + MARGIN,
    );
  }

  function placeExtra(write: TracedWrite, place: Place, isAtHole: boolean): Placement {
    if (isStrict) return 'judged';
    // It may be that of a call without a record, such as the one with which GET /levels tries the level.
    if (write.name !== 'write') return 'ignored';
    if (place === 'between') return isAtHole ? 'unrecorded' : 'judged';
    const isIn = isInTime(write);
    if (isIn === false) return 'ignored';
    return isAtHole || (place === 'last' && overview.isOpenEnded) ? 'unrecorded' : 'judged';
  }

  /** Was the call over before the tracer's first event, or did it begin after the last? */
  function isUnwatched(call: RecordedCall, place: Place): boolean {
    if (place === 'between') return false;
    const { first, last } = span();
    const [from, to] = [first && clock.timeOf(first), last && clock.timeOf(last)];
    // Without times only the order is known.
    if (from === undefined || to === undefined) return place !== 'unsure' || before === undefined;
    if (place !== 'last' && call.end < from && before === undefined) return true;
    return place === 'last' && call.time > to;
  }

  /** Places what waits. @param after the next call that the trace has */
  function flush(place: Place, after: Call): void {
    const isAtHole = after?.isAfterHole || waiting.some((one) => one.kind !== 'extra' && one.call.isAfterHole);
    const callsAfter: Call[] = [];
    let next = after;
    for (let index = waiting.length - 1; index >= 0; index--) {
      callsAfter[index] = next;
      const one = waiting[index] as Finding;
      if (one.kind !== 'extra') next = one.call;
    }
    const isInside = (call: Call): boolean => (call ? window?.(call) !== false : window === null);
    let previous = before;
    for (const [index, one] of waiting.entries()) {
      if (one.kind === 'extra') {
        const isIn = window === null || (isInside(previous) && isInside(callsAfter[index]));
        add(one, isIn ? placeExtra(one.write, place, isAtHole) : 'outside');
        continue;
      }
      previous = one.call;
      if (!isInside(one.call)) add(one, 'outside');
      else add(one, isAttached && isUnwatched(one.call, place) ? 'notWatched' : 'judged');
    }
    waiting = [];
  }

  return {
    take(finding: Finding): void {
      if (finding.kind === 'extra' || finding.kind === 'missing') {
        waiting.push(finding);
        if (waiting.length >= MOST_WAITING) flush('unsure', undefined);
        return;
      }
      // Most of a million calls end here.
      if (waiting.length > 0) {
        const isSameRun = before?.run === finding.call.run;
        flush(before === undefined ? 'first' : isSameRun ? 'between' : 'unsure', finding.call);
      }
      before = finding.call;
      add(finding, window?.(finding.call) === false ? 'outside' : 'judged');
    },
    /** Places the rest when both sides have ended. */
    end(): void {
      flush('last', undefined);
    },
  };
}

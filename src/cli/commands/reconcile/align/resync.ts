// Goes on where the next record and the next write disagree.
//
// Most differences are small, and the cheapest script in a window explains them: a line deleted, added or altered.
// A clock that was set is one of its edits.
//
// If less than a quarter of the window agrees, more is likely gone than the window shows. Example: the tracer lost 3000
// lines, so record 101 stands beside the write of record 3101. By time, record 101 was over long before that write: it
// is missing, and so are those after it until the times meet again, unless anchor.ts finds that both sides go on side
// by side by another clock. If the trace has no times, anchor.ts finds record 3101 among the next 4096. If it finds no
// such place (5000 lines were lost), half of those records are taken as missing, and so on from there.

import type { TracedWrite } from '../formats/format.js';
import type { RecordedCall } from '../record-line.js';
import { findAnchor } from './anchor.js';
import { findScript, type Script, WINDOW } from './script.js';
import { AT_HAND, EXTRA, MISSING, type Sides, type Step, type TakeStep } from './steps.js';

/** The most items that are read ahead on each side, rounded up to a whole batch. */
const FAR = 4096;

/** A call and a write that are further apart than this, in ms, were made one after the other. */
const TIME_APART = 1;

type Resynchronise = () => Promise<void>;

/** Returns the share of the records in the window that agree, of those that could. */
function shareAgreed({ calls, writes }: Sides, { agreed }: Script): number {
  return agreed / Math.min(WINDOW.calls, calls.size(), writes.size());
}

/** Takes the first half of a script. The rest is looked at again with more in view, unless it is all there is. */
function takeFirstHalf({ steps, isWhole }: Script, takeStep: TakeStep): void {
  const taken = { calls: 0, writes: 0 };
  for (const step of steps) {
    if (!isWhole && isBeyondHalf(taken)) return;
    takeStep(step);
    taken.calls += step.takesCall ? 1 : 0;
    taken.writes += step.used;
  }
}

const isBeyondHalf = ({ calls, writes }: { calls: number; writes: number }): boolean =>
  calls >= WINDOW.calls / 2 || writes >= WINDOW.writes / 2;

function takeTimes(count: number, step: Step, takeStep: TakeStep): void {
  for (let taken = 0; taken < count; taken++) takeStep(step);
}

/** Was the next record's call over before the next write was made? */
function isCallBehind({ calls, writes, clock }: Sides): boolean {
  const [call, write] = [calls.at(0), writes.at(0)];
  const time = write && clock.timeOf(write);
  return call !== undefined && time !== undefined && call.end + TIME_APART < time;
}

/** Was the next write made before the next record's call began? */
function isWriteBehind({ calls, writes, clock }: Sides): boolean {
  const [call, write] = [calls.at(0), writes.at(0)];
  const time = write && clock.timeOf(write);
  return call !== undefined && time !== undefined && time + TIME_APART < call.time;
}

/**
 * Takes from the side that is behind until it has caught up.
 *
 * @returns false if neither side is behind, or no time is known
 */
async function takeUntilTimesMeet(sides: Sides, takeStep: TakeStep): Promise<boolean> {
  const [isBehind, step, side] = isCallBehind(sides)
    ? [isCallBehind, MISSING, sides.calls]
    : [isWriteBehind, EXTRA, sides.writes];
  if (!isBehind(sides)) return false;
  while (isBehind(sides)) {
    takeStep(step);
    if (side.size() === 0) await side.fill(AT_HAND);
  }
  return true;
}

/** Returns a function that takes at least one step at a place where the sides disagree. */
export function createResynchronise(sides: Sides, takeStep: TakeStep): Resynchronise {
  const { calls, writes, clock } = sides;
  /** The position among the records before which no far look is made: the last one was in vain. */
  let nextFarLook = 0;

  /** Skips what is gone, if more is gone than the window shows. @returns false if the script is to be taken */
  async function skipFar(script: Script): Promise<boolean> {
    const isFarOff = clock.isFarOff(calls.at(0) as RecordedCall, writes.at(0) as TracedWrite);
    await Promise.all([calls.fill(FAR), writes.fill(FAR)]);
    const anchor = isFarOff ? findAnchor(sides, true) : (findAnchor(sides, false) ?? findAnchor(sides, true));
    if (isFarOff && !anchor && (await takeUntilTimesMeet(sides, takeStep))) return true;
    if (anchor) {
      if (!isBeyondHalf(anchor)) return false;
      takeTimes(anchor.calls, MISSING, takeStep);
      takeTimes(anchor.writes, EXTRA, takeStep);
      return true;
    }

    // Without an anchor the script is still believed, if at least a third of its steps are pairs.
    const pairs = script.steps.filter(({ explanation }) => explanation).length;
    if (pairs * 3 >= script.steps.length) {
      nextFarLook = calls.position() + FAR / 2;
      return false;
    }
    if (!(await takeUntilTimesMeet(sides, takeStep))) takeTimes(Math.min(FAR / 2, calls.size()), MISSING, takeStep);
    return true;
  }

  return async () => {
    const script = findScript(sides);
    const isUnlikely = shareAgreed(sides, script) < 1 / 4 && !script.isWhole;
    if (isUnlikely && calls.position() >= nextFarLook && (await skipFar(script))) return;
    takeFirstHalf(script, takeStep);
  };
}

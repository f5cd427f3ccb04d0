// Finds the record of each traced write. Both sides are in the order in which one thread made the calls, so this is
// the shortest edit script between two sequences, as `diff` makes it, but over streams, and with rules of
// its own for what is equal (explain/).
//
// Example: the trace lacks the line of record 2, and the count of record 4 is altered in it.
//   records          trace
//   1  "a"    1      line 1  "a"    1      they agree: taken at once
//   2  "bb"   2      line 2  "ccc"  3      they disagree: script.ts finds the cheapest edits
//   3  "ccc"  3      line 3  "dddd" 9        2 missing, 3 = line 2, 4 = line 3 altered (count)
//   4  "dddd" 4      line 4  "e"    1      they agree again: taken at once
//   5  "e"    1
//
// If the two sides differ by more than the window that script.ts sees, resync.ts goes further ahead.
// The memory needed is bounded (FAR in resync.ts), however long the input is.
import { explainExactly } from '../explain/explain.js';
import type { LookAhead } from '../look-ahead.js';
import { createResynchronise } from './resync.js';
import { AT_HAND, createTakeStep, EXTRA, type Finding, MISSING, type Sides, type TakeStep, toStep } from './steps.js';

const isAtHand = (side: LookAhead<unknown>): boolean => side.size() >= AT_HAND || side.isLast();

/** Takes records and writes while they agree in value and time. It awaits nothing: most of a million end here. */
function takeAgreed({ calls, writes, clock }: Sides, takeStep: TakeStep): void {
  while (isAtHand(calls) && isAtHand(writes)) {
    const call = calls.at(0);
    const write = writes.at(0);
    if (!call || !write || !clock.fits(call, write)) return;
    const explanation = explainExactly(call, writes.at);
    if (!explanation) return;
    takeStep(toStep(explanation));
  }
}

/** Reports every record and every write, each once and in order. */
export async function align(sides: Sides, report: (finding: Finding) => void): Promise<void> {
  const { calls, writes } = sides;
  const takeStep = createTakeStep(sides, report);
  const resynchronise = createResynchronise(sides, takeStep);
  for (;;) {
    await calls.fill(AT_HAND);
    await writes.fill(AT_HAND);
    takeAgreed(sides, takeStep);
    if (!isAtHand(calls) || !isAtHand(writes)) continue;
    if (calls.size() === 0 && writes.size() === 0) return;
    if (calls.size() === 0) takeStep(EXTRA);
    else if (writes.size() === 0) takeStep(MISSING);
    else await resynchronise();
  }
}

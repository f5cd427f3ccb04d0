// The cheapest script of edits in a window of the next records and writes, by dynamic programming: a table over
// (records taken, writes taken) holds the cost of the cheapest way there, and its last step.
//
// Example: three records A (2 → 2), B (3 → 3) and C (4 → 4); of the trace, B's line is deleted and C's result is
// altered, so it has two lines: 2 → 2 and 4 → 1.
//
//   records          writes taken
//   taken            0       1 (2 → 2)   2 (4 → 1)
//   0                0       1           2
//   1 (A)            1      −0.5         0.5
//   2 (A, B)         2       0.5         1.5
//   3 (A, B, C)      3       1.5         1.35
//
// A step down is a missing record and costs 1, a step right an extra write and costs 1; a diagonal step is a pair:
// −0.5 if it agrees (A), a little less than 1 if it is altered (C). From the corner 1.35, the steps that led there
// are traced back: C is altered (0.5 + 0.85), B is missing (−0.5 + 1), A matches (0 − 0.5).
//
// Time breaks ties, for example which of many equal records is missing: a pair whose times do not fit those of the pair
// before it costs WRONG_TIME_COST more. In a window that can outweigh one edit but no more.
//
// A pair that is far off is one only if a clock was set, which costs CLOCK_SET_COST once: the pairs after it fit again.
// With it, a pair that agrees costs less than a missing record and an extra write. A stray write that looks like
// a record would need two: one there, one back.
import { MATCHED_COST } from '../explain/explanation.js';
import type { LookAhead } from '../look-ahead.js';
import type { Sides, Step } from './steps.js';
import { fillTable, MOST_SETTINGS, type Table } from './table.js';

/** The most records and writes that a script is made of. */
export const WINDOW = { calls: 48, writes: 96 };

export type Script = {
  steps: Step[];
  /** The number of its records that agree with their writes, each at a time that fits. */
  agreed: number;
  /** Does it take all that is left of both streams? */
  isWhole: boolean;
};

/**
 * Returns the cell in which the script ends: the one with the fewest edits, on the bottom or the right edge.
 *
 * There one side of the window is used up, and the rest of the other side is compared later. But if nothing more
 * comes on the side that is used up, the rest can only be extra or missing: then the script must take it too.
 */
function findEnd(
  { rows, columns, cells, costs, agreed }: Table,
  areCallsLast: boolean,
  areWritesLast: boolean,
): number {
  // Leave out the reward for pairs that agree: an end must not win only because more records before it agree.
  const edits = (at: number): number => (costs[at] as number) - (agreed[at] as number) * MATCHED_COST;
  let end = cells - 1;
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column <= columns; column++) {
      const isBottom = row === rows && (column === columns || !areCallsLast);
      const isRight = column === columns && (row === rows || !areWritesLast);
      if (!isBottom && !isRight) continue;
      const first = row * (columns + 1) + column;
      for (const at of [first, first + cells]) if (edits(at) < edits(end)) end = at;
    }
  }
  return end;
}

/** Returns the steps from the first cell to `end`. */
function traceBack({ steps, from }: Table, end: number): Step[] {
  const script: Step[] = [];
  for (let at = end; at > 0; at = from[at] as number) script.push(steps[at] as Step);
  return script.reverse();
}

const isAllOf = (side: LookAhead<unknown>, count: number): boolean => side.isLast() && side.size() <= count;

/** Finds the cheapest script for the next records and writes. */
export function findScript(sides: Sides, isTimed = true): Script {
  const { calls, writes } = sides;
  const rows = Math.min(WINDOW.calls, calls.size());
  const columns = Math.min(WINDOW.writes, writes.size());
  const areCallsLast = isAllOf(calls, rows);
  const areWritesLast = isAllOf(writes, columns);
  const table = fillTable(rows, columns, sides, isTimed);
  const end = findEnd(table, areCallsLast, areWritesLast);
  if ((table.settings[end] as number) > MOST_SETTINGS) return findScript(sides, false);
  return {
    steps: traceBack(table, end),
    agreed: table.inTime[end] as number,
    isWhole: areCallsLast && areWritesLast,
  };
}

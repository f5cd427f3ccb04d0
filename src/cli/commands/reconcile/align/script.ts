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
// Time breaks ties, for example which of many equal records is missing: a pair whose times do not fit costs
// WRONG_TIME_COST more. In a window that can outweigh one edit but no more. A pair that is far off is none.
import type { Clock } from '../clock.js';
import { explain } from '../explain/explain.js';
import { isExact, MATCHED_COST } from '../explain/explanation.js';
import type { TracedWrite } from '../formats/format.js';
import type { LookAhead } from '../look-ahead.js';
import type { RecordedCall } from '../record-line.js';
import { EXTRA, MISSING, type Sides, type Step, toStep } from './steps.js';

/** The most records and writes that a script is made of. */
export const WINDOW = { calls: 48, writes: 96 };

const EDIT_COST = 1;
const WRONG_TIME_COST = 0.045;

export type Script = {
  steps: Step[];
  /** The number of its records that agree with their writes. */
  agreed: number;
  /** Does it take all that is left of both streams? */
  isWhole: boolean;
};

/** One cell for each pair (records taken, writes taken), stored row by row. */
type Table = {
  rows: number;
  columns: number;
  costs: Float64Array;
  /** The number of records that agree on the way to a cell. */
  agreed: Uint8Array;
  /** The last step to a cell, and the cell before it. */
  steps: (Step | undefined)[];
  from: number[];
};

function createTable(rows: number, columns: number): Table {
  const cells = (rows + 1) * (columns + 1);
  const costs = new Float64Array(cells).fill(Number.POSITIVE_INFINITY);
  costs[0] = 0;
  return { rows, columns, costs, agreed: new Uint8Array(cells), steps: [], from: [] };
}

/** Enters a step from one cell to another and the cost of the way with it, unless a way as cheap is known. */
function enter({ costs, agreed, steps, from }: Table, at: number, to: number, step: Step, cost: number): void {
  if (cost >= (costs[to] as number)) return;
  costs[to] = cost;
  agreed[to] = (agreed[at] as number) + (step.explanation && isExact(step.explanation) ? 1 : 0);
  steps[to] = step;
  from[to] = at;
}

/** Enters every way to pair the record of a cell with writes from that cell on. */
function enterPairs(table: Table, row: number, column: number, sides: Sides, clock: Clock | null): void {
  const { rows, columns } = table;
  if (row === rows || column === columns) return;
  const call = sides.calls.at(row) as RecordedCall;
  const write = sides.writes.at(column) as TracedWrite;
  if (write.fd !== call.fd || clock?.isFarOff(call, write)) return;
  const timeCost = clock && !clock.fits(call, write) ? WRONG_TIME_COST : 0;
  const width = columns + 1;
  const at = row * width + column;
  for (const explanation of explain(call, (index) => sides.writes.at(column + index))) {
    // A call of many writes may reach beyond the window.
    const to = (row + 1) * width + Math.min(columns, column + explanation.used);
    enter(table, at, to, toStep(explanation), (table.costs[at] as number) + explanation.cost + timeCost);
  }
}

function fillTable(rows: number, columns: number, sides: Sides, clock: Clock | null): Table {
  const table = createTable(rows, columns);
  const width = columns + 1;
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column <= columns; column++) {
      const at = row * width + column;
      const edited = (table.costs[at] as number) + EDIT_COST;
      if (row < rows) enter(table, at, at + width, MISSING, edited);
      enterPairs(table, row, column, sides, clock);
      if (column < columns) enter(table, at, at + 1, EXTRA, edited);
    }
  }
  return table;
}

/**
 * Returns the cell in which the script ends: the one with the fewest edits, on the bottom or the right edge.
 *
 * There one side of the window is used up, and the rest of the other side is compared later. But if nothing more
 * comes on the side that is used up, the rest can only be extra or missing: then the script must take it too.
 */
function findEnd({ rows, columns, costs, agreed }: Table, areCallsLast: boolean, areWritesLast: boolean): number {
  // Leave out the reward for pairs that agree: an end must not win only because more records before it agree.
  const edits = (at: number): number => (costs[at] as number) - (agreed[at] as number) * MATCHED_COST;
  let end = costs.length - 1;
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column <= columns; column++) {
      const isBottom = row === rows && (column === columns || !areCallsLast);
      const isRight = column === columns && (row === rows || !areWritesLast);
      const at = row * (columns + 1) + column;
      if ((isBottom || isRight) && edits(at) < edits(end)) end = at;
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

/** Finds the cheapest script for the next records and writes. @param clock null: without regard to time */
export function findScript(sides: Sides, clock: Clock | null): Script {
  const { calls, writes } = sides;
  const rows = Math.min(WINDOW.calls, calls.size());
  const columns = Math.min(WINDOW.writes, writes.size());
  const areCallsLast = isAllOf(calls, rows);
  const areWritesLast = isAllOf(writes, columns);
  const table = fillTable(rows, columns, sides, clock);
  const end = findEnd(table, areCallsLast, areWritesLast);
  return {
    steps: traceBack(table, end),
    agreed: table.agreed[end] as number,
    isWhole: areCallsLast && areWritesLast,
  };
}

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
import { type Bounds, boundsOf, contradiction, FAR_OFF, narrow } from '../clock.js';
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
const CLOCK_SET_COST = 2.4;
/** The cost before any pair is known: the sides may have been made in two time zones. */
const OTHER_CLOCK_COST = 1;
/** More than so many settings in one window, and the times are of no use. */
const MOST_SETTINGS = 4;

export type Script = {
  steps: Step[];
  /** The number of its records that agree with their writes, each at a time that fits. */
  agreed: number;
  /** Does it take all that is left of both streams? */
  isWhole: boolean;
};

/** One cell for each pair (records taken, writes taken), stored row by row. */
type Table = {
  rows: number;
  columns: number;
  costs: Float64Array;
  /** The number of records that agree on the way to a cell, and of those that do so at a time that fits. */
  agreed: Uint8Array;
  inTime: Uint8Array;
  /** The number of times that a clock was set on the way to a cell, and the offset there; undefined if unknown. */
  settings: Uint8Array;
  bounds: (Bounds | undefined)[];
  /** The last step to a cell, and the cell before it. */
  steps: (Step | undefined)[];
  from: number[];
};

function createTable(rows: number, columns: number): Table {
  const cells = (rows + 1) * (columns + 1);
  const costs = new Float64Array(cells).fill(Number.POSITIVE_INFINITY);
  costs[0] = 0;
  const counts = (): Uint8Array => new Uint8Array(cells);
  return {
    rows,
    columns,
    costs,
    agreed: counts(),
    inTime: counts(),
    settings: counts(),
    bounds: [],
    steps: [],
    from: [],
  };
}

/** The cost of a pair because of its time, and the offset after it. */
type Timing = { cost: number; isSet: boolean; bounds: Bounds | undefined };

/** Enters a step from one cell to another and the cost of the way with it, unless a way as cheap is known. */
function enter(table: Table, at: number, to: number, step: Step, cost: number, timing?: Timing): void {
  const { costs, agreed, inTime, settings, bounds, steps, from } = table;
  if (cost >= (costs[to] as number)) return;
  const agrees = step.explanation && isExact(step.explanation) ? 1 : 0;
  costs[to] = cost;
  agreed[to] = (agreed[at] as number) + agrees;
  inTime[to] = (inTime[at] as number) + (timing?.cost ? 0 : agrees);
  settings[to] = (settings[at] as number) + (timing?.isSet ? 1 : 0);
  bounds[to] = timing ? timing.bounds : bounds[at];
  steps[to] = step;
  from[to] = at;
}

/** Returns what the time of a pair says at a cell. @param settingCost the cost if a clock was set before it */
function timingOf(
  known: Bounds | undefined,
  call: RecordedCall,
  time: number | undefined,
  settingCost: number,
): Timing {
  if (time === undefined) return { cost: 0, isSet: false, bounds: known };
  const found = boundsOf(call, time);
  if (!known) return { cost: 0, isSet: false, bounds: found };
  const contradicts = contradiction(known, found);
  const isSet = contradicts > FAR_OFF;
  return {
    cost: isSet ? settingCost : contradicts > 0 ? WRONG_TIME_COST : 0,
    isSet,
    bounds: narrow(known, found),
  };
}

/** Enters every way to pair the record of a cell with writes from that cell on. */
function enterPairs(
  table: Table,
  row: number,
  column: number,
  { calls, writes, clock }: Sides,
  isTimed: boolean,
): void {
  const { rows, columns } = table;
  if (row === rows || column === columns) return;
  const call = calls.at(row) as RecordedCall;
  const write = writes.at(column) as TracedWrite;
  if (write.fd !== call.fd) return;
  const explanations = explain(call, (index) => writes.at(column + index));
  if (explanations.length === 0) return;
  const width = columns + 1;
  const at = row * width + column;
  const isFirst = (table.agreed[at] as number) === 0 && clock.isPresumed();
  const timing = isTimed
    ? timingOf(
        table.bounds[at] ?? clock.bounds(write.time),
        call,
        write.time,
        isFirst ? OTHER_CLOCK_COST : CLOCK_SET_COST,
      )
    : undefined;
  for (const explanation of explanations) {
    // A call of many writes may reach beyond the window.
    const to = (row + 1) * width + Math.min(columns, column + explanation.used);
    const cost = (table.costs[at] as number) + explanation.cost + (timing?.cost ?? 0);
    enter(table, at, to, toStep(explanation), cost, timing);
  }
}

function fillTable(rows: number, columns: number, sides: Sides, isTimed: boolean): Table {
  const table = createTable(rows, columns);
  const width = columns + 1;
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column <= columns; column++) {
      const at = row * width + column;
      const edited = (table.costs[at] as number) + EDIT_COST;
      if (row < rows) enter(table, at, at + width, MISSING, edited);
      enterPairs(table, row, column, sides, isTimed);
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

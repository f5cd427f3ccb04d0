// The table of script.ts: the cheapest way to each cell, and its last step.
import { type Bounds, boundsOf, contradiction, FAR_OFF, narrow } from '../clock.js';
import { explain } from '../explain/explain.js';
import { isExact } from '../explain/explanation.js';
import type { TracedWrite } from '../formats/format.js';
import type { RecordedCall } from '../record-line.js';
import { EXTRA, MISSING, type Sides, type Step, toStep } from './steps.js';

const EDIT_COST = 1;
const WRONG_TIME_COST = 0.045;
const CLOCK_SET_COST = 2.4;
/** The cost before any pair is known: the sides may have been made in two time zones. */
const OTHER_CLOCK_COST = 1;
/** More than so many settings in one window, and the times are of no use. */
export const MOST_SETTINGS = 4;

/**
 * Two cells for each pair (records taken, writes taken), stored row by row; all second ones behind the first.
 *
 * The second cell has the ways on which a clock was set, and no pair since then confirms it. Such a way may cost more than
 * one that takes a missing record and an extra write instead, until the next pair: it must not be given up before.
 */
export type Table = {
  rows: number;
  columns: number;
  /** The number of cells of each kind. */
  cells: number;
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
  const costs = new Float64Array(2 * cells).fill(Number.POSITIVE_INFINITY);
  costs[0] = 0;
  const counts = (): Uint8Array => new Uint8Array(2 * cells);
  const [agreed, inTime, settings] = [counts(), counts(), counts()];
  return { rows, columns, cells, costs, agreed, inTime, settings, bounds: [], steps: [], from: [] };
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

/** Enters the ways that take a record or a write of a cell alone. */
function enterEdits(table: Table, row: number, column: number, at: number): void {
  const { rows, columns, costs } = table;
  const cost = (costs[at] as number) + EDIT_COST;
  if (cost === Number.POSITIVE_INFINITY) return;
  if (row < rows) enter(table, at, at + columns + 1, MISSING, cost);
  if (column < columns) enter(table, at, at + 1, EXTRA, cost);
}

/** Enters every way to pair the record of a cell with writes from that cell on. */
function enterPairs(table: Table, row: number, column: number, sides: Sides, isTimed: boolean): void {
  const { rows, columns, cells, costs } = table;
  if (row === rows || column === columns) return;
  const { calls, writes, clock } = sides;
  const call = calls.at(row) as RecordedCall;
  const write = writes.at(column) as TracedWrite;
  if (write.fd !== call.fd) return;
  const explanations = explain(call, (index) => writes.at(column + index));
  if (explanations.length === 0) return;
  const width = columns + 1;
  const first = row * width + column;
  for (const at of [first, first + cells]) {
    if (costs[at] === Number.POSITIVE_INFINITY) continue;
    const isPresumed = table.bounds[at] === undefined && clock.isPresumed();
    const timing = isTimed
      ? timingOf(
          table.bounds[at] ?? clock.bounds(write.time),
          call,
          write.time,
          isPresumed ? OTHER_CLOCK_COST : CLOCK_SET_COST,
        )
      : undefined;
    for (const explanation of explanations) {
      const isWaiting = timing?.isSet || (at !== first && !isExact(explanation));
      // A call of many writes may reach beyond the window.
      const to = (row + 1) * width + Math.min(columns, column + explanation.used) + (isWaiting ? cells : 0);
      const cost = (costs[at] as number) + explanation.cost + (timing?.cost ?? 0);
      enter(table, at, to, toStep(explanation), cost, timing);
    }
  }
}

export function fillTable(rows: number, columns: number, sides: Sides, isTimed: boolean): Table {
  const table = createTable(rows, columns);
  const width = columns + 1;
  for (let row = 0; row <= rows; row++) {
    for (let column = 0; column <= columns; column++) {
      const first = row * width + column;
      enterEdits(table, row, column, first);
      enterEdits(table, row, column, first + table.cells);
      enterPairs(table, row, column, sides, isTimed);
    }
  }
  return table;
}

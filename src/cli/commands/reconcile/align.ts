// Which traced write is which record's. Both sides are in the order in which one thread made the calls,
// so this is the shortest edit script between two sequences, as `diff` makes it, but over streams
// and with rules of its own for what counts as equal (explain.ts).
//
// 1. While the next record and the next write agree, in value and time, they are taken at once.
// 2. Where they do not, the edits that cost least are looked for in a window of the next 48 records
//    and 96 writes, by dynamic programming over (records taken, writes taken): a record without a write
//    (missing) costs 1, a write without a record (extra) 1, a pair that differs but has something in
//    common (altered) a little less than 1, and one that agrees is worth a half, so one line deleted,
//    added or altered is found as exactly that, and a pair that agrees is not given up to make pairs
//    that differ of its neighbours. A pair whose times do not fit costs 0.045 more: time breaks ties,
//    which of many equal records is the missing one, say, and can outweigh one edit in a window but no
//    more; and if they are more than 50 ms apart it is no pair. Only the first half of the script is
//    acted upon; what lies behind it is looked at again with more in view.
// 3. A script in which less than a quarter of the window agrees means one of two things. The clock was set:
//    then nearly all of it agrees without regard to time. Or more is gone than the window shows: then
//    the side that is so far behind gives way; if there is none, the nearest place is looked for,
//    up to 4096 of each ahead, from which 8 records in a row agree again. Without such a place
//    the script is taken if it has pairs; if not, the records give way.
//
// What is held is bounded by those 4096 on each side, however long the input.
import type { Clock } from './clock.js';
import { type Explanation, explain, type Field, MATCHED, type Recorded, type Verdict } from './explain.js';
import type { Ahead } from './lines.js';
import type { Traced } from './traces.js';

const CALLS = 48;
const WRITES = 96;
const WRONG_TIME = 0.045;
const FAR = 4096;
const RUN = 8;
/** At hand at all times: a window, and a call of many writes at its edge. */
const NEAR = 512;

export type Finding =
  | { kind: Verdict; call: Recorded; seen: Traced[]; differs: Field[] }
  | { kind: 'extra'; seen: Traced };

/** A step of a script: a record taken or not, and so many writes. */
type Step = { call: boolean; used: number; how: Explanation | null };

const MISSING: Step = { call: true, used: 0, how: null };
const EXTRA: Step = { call: false, used: 1, how: null };

/** Tells `tell` of every record and write, each once and in order. */
export async function align(
  calls: Ahead<Recorded>,
  writes: Ahead<Traced>,
  clock: Clock,
  tell: (finding: Finding) => void,
): Promise<void> {
  /** Records to be gone through before another far look, when the last one was in vain. */
  let patience = 0;

  function take(step: Step): void {
    const call = calls.at(0);
    if (!step.call || !call) {
      tell({ kind: 'extra', seen: writes.at(0) as Traced });
    } else {
      const seen = Array.from({ length: step.used }, (_, index) => writes.at(index) as Traced);
      const kind = step.how?.verdict ?? 'missing';
      if (kind === 'matched') clock.learn(call, seen[0] as Traced);
      tell({ kind, call, seen, differs: step.how?.differs ?? [] });
      calls.drop(1);
      patience -= 1;
    }
    writes.drop(step.used);
  }

  /** The exact explanation of a record by the writes from `index` on. */
  function exact(call: Recorded, index: number): Explanation | undefined {
    return explain(call, (ahead) => writes.at(index + ahead)).find(({ verdict }) => verdict === 'matched');
  }

  function takeAgreed(): boolean {
    const call = calls.at(0);
    const seen = writes.at(0);
    if (!call || !seen || !clock.fits(call, seen)) return false;
    const how = exact(call, 0);
    if (!how) return false;
    take({ call: true, used: how.used, how });
    return true;
  }

  /** Whether what is at hand up to `count` is all there is. */
  const isAll = (side: Ahead<unknown>, count: number): boolean => side.isLast() && side.size() <= count;

  function cheapest(isTimeTrusted: boolean): { script: Step[]; agreed: number; isWhole: boolean } {
    const rows = Math.min(CALLS, calls.size());
    const columns = Math.min(WRITES, writes.size());
    const width = columns + 1;
    const costs = new Float64Array((rows + 1) * width).fill(Number.POSITIVE_INFINITY);
    /** How many records agree on the way there. */
    const agreeing = new Uint8Array(costs.length);
    const steps: (Step | undefined)[] = [];
    const from: number[] = [];
    costs[0] = 0;

    function reach(to: number, cost: number, step: Step, at: number): void {
      if (cost >= (costs[to] as number)) return;
      costs[to] = cost;
      agreeing[to] = (agreeing[at] as number) + (step.how?.verdict === 'matched' ? 1 : 0);
      steps[to] = step;
      from[to] = at;
    }
    for (let row = 0; row <= rows; row++) {
      for (let column = 0; column <= columns; column++) {
        const at = row * width + column;
        const cost = costs[at] as number;
        if (row < rows) {
          reach(at + width, cost + 1, MISSING, at);
          const call = calls.at(row) as Recorded;
          const seen = column < columns ? writes.at(column) : undefined;
          if (seen?.fd === call.fd && !(isTimeTrusted && clock.isFarOff(call, seen))) {
            const late = isTimeTrusted && !clock.fits(call, seen) ? WRONG_TIME : 0;
            for (const how of explain(call, (ahead) => writes.at(column + ahead))) {
              const to = (row + 1) * width + Math.min(columns, column + how.used);
              reach(to, cost + how.cost + late, { call: true, used: how.used, how }, at);
            }
          }
        }
        if (column < columns) reach(at + 1, cost + 1, EXTRA, at);
      }
    }

    // A script ends where either side of the window does; where a stream ends, it must take all of that.
    const noMoreCalls = isAll(calls, rows);
    const noMoreWrites = isAll(writes, columns);
    // Of two ends the one with fewer edits: at an open end a record more that agrees is no merit.
    const edits = (at: number): number => (costs[at] as number) - (agreeing[at] as number) * MATCHED;
    let end = costs.length - 1;
    for (let row = 0; row <= rows; row++) {
      for (let column = 0; column <= columns; column++) {
        const isEnd =
          (row === rows && !(noMoreCalls && column < columns)) || (column === columns && !(noMoreWrites && row < rows));
        const at = row * width + column;
        if (isEnd && edits(at) < edits(end)) end = at;
      }
    }
    const script: Step[] = [];
    for (let at = end; at > 0; at = from[at] as number) script.push(steps[at] as Step);
    const agreed = script.filter(({ how }) => how?.verdict === 'matched').length;
    return { script: script.reverse(), agreed, isWhole: noMoreCalls && noMoreWrites };
  }

  /** Whether records agree with writes in a row from there on. */
  function agrees(row: number, column: number): boolean {
    for (let run = 0, at = column; run < RUN; run++) {
      const call = calls.at(row + run);
      const seen = writes.at(at);
      // Both end together: nothing speaks against it.
      if (!call && !seen) return run > 0;
      if (!call || !seen || !clock.fits(call, seen)) return false;
      const how = exact(call, at);
      if (!how) return false;
      at += how.used;
    }
    return true;
  }

  /** The nearest place from which both sides agree again. */
  function anchor(): [row: number, column: number] | undefined {
    const places = new Map<string, number[]>();
    const key = (fd: number, count: number): string => `${fd} ${count}`;
    for (let column = 0; column < writes.size(); column++) {
      const { fd, count } = writes.at(column) as Traced;
      const all = places.get(key(fd, count));
      if (all) all.push(column);
      else places.set(key(fd, count), [column]);
    }
    let best: [number, number] | undefined;
    let nearest = Number.POSITIVE_INFINITY;
    for (let row = 0; row < Math.min(calls.size(), nearest); row++) {
      const { fd, count } = calls.at(row) as Recorded;
      for (const column of places.get(key(fd, count)) ?? []) {
        if (row + column >= nearest) break;
        if (!agrees(row, column)) continue;
        best = [row, column];
        nearest = row + column;
        break;
      }
    }
    return best;
  }

  /** Gives up what the other side has long passed; false if time does not say. */
  async function giveWay(): Promise<boolean> {
    const isBehind = (): boolean => {
      const [call, seen] = [calls.at(0), writes.at(0)];
      const time = seen && clock.timeOf(seen);
      return call !== undefined && time !== undefined && call.end + 1 < time;
    };
    const isAhead = (): boolean => {
      const [call, seen] = [calls.at(0), writes.at(0)];
      const time = seen && clock.timeOf(seen);
      return call !== undefined && time !== undefined && time + 1 < call.time;
    };
    const [is, step, side] = isBehind() ? [isBehind, MISSING, calls] : [isAhead, EXTRA, writes];
    if (!is()) return false;
    while (is()) {
      take(step);
      if (side.size() === 0) await side.fill(NEAR);
    }
    return true;
  }

  async function resynchronise(): Promise<void> {
    let { script, agreed, isWhole } = cheapest(true);
    const most = Math.min(CALLS, calls.size(), writes.size());
    if (agreed < most / 4) {
      const timeless = cheapest(false);
      if (timeless.agreed > (most * 3) / 4) ({ script, agreed, isWhole } = timeless);
    }
    if (agreed < most / 4 && !isWhole && patience <= 0) {
      if (clock.isFarOff(calls.at(0) as Recorded, writes.at(0) as Traced) && (await giveWay())) return;
      await Promise.all([calls.fill(FAR), writes.fill(FAR)]);
      const place = anchor();
      if (place) {
        const [row, column] = place;
        if (row >= CALLS / 2 || column >= WRITES / 2) {
          for (let i = 0; i < row; i++) take(MISSING);
          for (let i = 0; i < column; i++) take(EXTRA);
          return;
        }
      } else {
        const pairs = script.filter(({ how }) => how).length;
        if (pairs * 3 < script.length) {
          if (!(await giveWay())) for (let i = Math.min(FAR / 2, calls.size()); i > 0; i--) take(MISSING);
          return;
        }
        patience = FAR / 2;
      }
    }
    let row = 0;
    let column = 0;
    for (const step of script) {
      if (!isWhole && (row >= CALLS / 2 || column >= WRITES / 2)) return;
      take(step);
      row += step.call ? 1 : 0;
      column += step.used;
    }
  }

  for (;;) {
    await calls.fill(NEAR);
    await writes.fill(NEAR);
    // Without a promise for each: most of a million are taken here.
    while ((calls.size() >= NEAR || calls.isLast()) && (writes.size() >= NEAR || writes.isLast()) && takeAgreed()) {}
    if (calls.size() < NEAR && !calls.isLast()) continue;
    if (writes.size() < NEAR && !writes.isLast()) continue;
    if (calls.size() === 0 && writes.size() === 0) return;
    if (calls.size() === 0) take(EXTRA);
    else if (writes.size() === 0) take(MISSING);
    else await resynchronise();
  }
}

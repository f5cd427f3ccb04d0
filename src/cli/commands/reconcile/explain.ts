// Whether traced writes are what a record says: the rules for one record, whatever comes before and after it.
import { constants } from 'node:os';
import type { Traced } from './traces.js';

/** A record, as far as a tracer can be held against it. */
export type Recorded = {
  seq: number;
  pid: number;
  fd: number;
  level: string;
  count: number;
  /** As the kernel gives it: bytes written, or −errno. */
  result: number;
  /** When the call was made and when it was over, in milliseconds since 1970. */
  time: number;
  end: number;
  text: string;
};

export type Field = 'bytes' | 'count' | 'result';
export type Verdict = 'matched' | 'altered' | 'missing';

/** One way to read the traced writes from here on as what a record says. */
export type Explanation = {
  /** How many traced writes it takes. */
  used: number;
  verdict: Verdict;
  differs: Field[];
  /** What it costs in a script of edits, where a record without a write costs 1. */
  cost: number;
};

/** What agrees is worth more than two pairs that differ: a line deleted before it and one added behind it stay what they are. */
export const MATCHED = -0.5;

/** A pair that differs costs less than a record without a write, or a window full of them would be cheaper undone. */
const alteredCost = (differs: Field[]): number => 0.8 + differs.length / 20;
/** Some of a call's writes are there and fit: less than a difference, if nothing but that explains them, else more. */
const PART_GONE = 0.7;
const PART_MAY_BE_GONE = 0.98;

/** The level whose one call may be several writes. */
const LOOPS = 'std';
/** The most writes that are read as one call's. */
const LONGEST = 256;
const { EINTR } = constants.errno;

const sameText = (call: Recorded, seen: Traced): boolean =>
  seen.text === undefined || (seen.whole ? seen.text === call.text : call.text.startsWith(seen.text));

/** Whether a write is on the descriptor of a call, by its process; a thread that makes calls has its process's id. */
const isAt = (call: Recorded, { fd, pid, tid }: Traced): boolean =>
  fd === call.fd && (pid ?? tid ?? call.pid) === call.pid;

/** One write for one call. What has nothing in common with the record is another call. */
function single(call: Recorded, seen: Traced): Explanation | null {
  const isText = sameText(call, seen);
  const isCount = seen.count === call.count;
  const isResult = seen.result === undefined || seen.result === call.result;
  if (isText && isCount && isResult) return { used: 1, verdict: 'matched', differs: [], cost: MATCHED };
  if (!isCount && !isResult && !(isText && seen.text)) return null;
  const differs: Field[] = [];
  if (!isText) differs.push('bytes');
  if (!isCount) differs.push('count');
  if (!isResult) differs.push('result');
  return { used: 1, verdict: 'altered', differs, cost: alteredCost(differs) };
}

/**
 * The writes of one `fs.writeSync`: libuv repeats after EINTR, and goes on with the rest after a
 * partial write, whose error it swallows then
 * (https://github.com/libuv/libuv/blob/v1.x/src/unix/fs.c, uv__fs_write_all). With one flaw at most: a
 * value altered, or a line gone, which shows in what the other lines leave to be written.
 */
function looped(call: Recorded, at: (index: number) => Traced | undefined): Explanation[] {
  const found: Explanation[] = [];
  const COSTS = { matched: () => MATCHED, altered: alteredCost, missing: () => PART_GONE };
  const offer = (used: number, verdict: Verdict, differs: Field[], cost = COSTS[verdict](differs)): number =>
    found.push({ used, verdict, differs, cost });
  const mine = (index: number): Traced | undefined => {
    const seen = at(index);
    return seen && isAt(call, seen) ? seen : undefined;
  };

  /** From the write `index` on, with `left` to be written and `total` written. */
  function from(index: number, left: number, total: number, verdict: Verdict, differs: Field[]): void {
    const isFlawless = verdict === 'matched';
    // The last write is gone: an error that was swallowed, or what must follow EINTR; or it brought the
    // rest, which is less likely than that the one before is altered.
    if (isFlawless && index > 0 && total <= call.result)
      offer(
        index,
        'missing',
        [],
        total === call.result || at(index - 1)?.result === -EINTR ? PART_GONE : PART_MAY_BE_GONE,
      );
    const seen = index < LONGEST ? mine(index) : undefined;
    if (!seen) return;
    // The write before it is gone: it took what is no longer left.
    if (isFlawless && seen.count > 0 && seen.count < left)
      after(index, seen, seen.count, total + left - seen.count, 'missing', []);
    if (total === 0 && !sameText(call, seen)) {
      if (!isFlawless) return;
      verdict = 'altered';
      differs = ['bytes'];
    }
    if (seen.count !== left) {
      if (verdict === 'matched') after(index, seen, left, total, 'altered', ['count']);
      return;
    }
    after(index, seen, left, total, verdict, differs);
    if (verdict !== 'matched') return;
    // Its result may be altered: what it was shows in the count of the next, or in the record.
    const next = mine(index + 1);
    if (next && next.count > 0 && next.count < left && left - next.count !== seen.result)
      from(index + 1, next.count, total + left - next.count, 'altered', ['result']);
    offer(index + 1, 'altered', ['result']);
  }

  function after(index: number, seen: Traced, left: number, total: number, verdict: Verdict, differs: Field[]): void {
    const { result } = seen;
    if (result === undefined) offer(index + 1, verdict, differs);
    else if (result === -EINTR) from(index + 1, left, total, verdict, differs);
    else if (result > 0 && result < left) from(index + 1, left - result, total + result, verdict, differs);
    else if ((result > 0 || total > 0 ? total + Math.max(0, result) : result) === call.result)
      offer(index + 1, verdict, differs);
  }

  from(0, call.count, 0, 'matched', []);
  const first = mine(0);
  const one = first && single(call, first);
  if (one && one.verdict === 'altered' && one.differs.length > 1) found.push(one);
  return found;
}

/** Every way to read the traced writes from here on as what the record says. */
export function explain(call: Recorded, at: (index: number) => Traced | undefined): Explanation[] {
  const seen = at(0);
  if (!seen || !isAt(call, seen)) return [];
  // Nearly all are this, and cost nothing to tell.
  if (seen.count === call.count && seen.result === call.result && sameText(call, seen)) {
    if (call.level !== LOOPS || call.result === call.count || (call.result < 0 && call.result !== -EINTR))
      return [{ used: 1, verdict: 'matched', differs: [], cost: MATCHED }];
  }
  if (call.level === LOOPS) return looped(call, at);
  const one = single(call, seen);
  return one ? [one] : [];
}

// The traced writes of one `fs.writeSync`, which may be several: libuv repeats a write after EINTR, goes on
// with the rest after a partial write, and then swallows the error of a later write
// (https://github.com/libuv/libuv/blob/v1.x/src/unix/fs.c, uv__fs_write_all).
//
// Example: 10 bytes to a pipe; the record says count 10, result 10. The whole trace of the call is
//   write(…, 10) = 4              6 bytes are left
//   write(…, 6) = -1 EINTR        repeated: 6 are still left
//   write(…, 6) = 6               nothing is left, 10 were written: matched, 3 writes used
//
// The trace may have one flaw. What is left to write gives it away:
//   line 1 deleted     the first write asks for 6, not for 10: a write that took 4 is missing
//   line 3 deleted     a write must follow EINTR, and there is none: a write is missing
//   line 1 with "= 7"  the next write asks for 6, so this result was 4: altered: result
//
// Every reading with at most one flaw is offered with its cost; align/script.ts chooses among them.
import { constants } from 'node:os';
import type { TracedWrite } from '../formats/format.js';
import type { RecordedCall } from '../record-line.js';
import {
  alteredCost,
  type Explanation,
  type Field,
  hasSameText,
  isOnSameDescriptor,
  MATCHED_COST,
  PART_GONE_COST,
  type WriteAt,
} from './explanation.js';
import { explainSingle } from './single.js';

const { EINTR } = constants.errno;

/** The most writes that are read as one call. */
const MOST_WRITES = 256;

/** As PART_GONE_COST, where an altered value would explain them too and is more likely: dearer than a pair that differs. */
const PART_MAY_BE_GONE_COST = 0.98;

/** The state of a reading: the index of the next write, the bytes left for it, and those written before it. */
type Progress = { index: number; left: number; written: number };

type Flaw = { verdict: 'altered' | 'missing'; differs: readonly Field[] };
const WRITE_GONE: Flaw = { verdict: 'missing', differs: [] };
const BYTES_ALTERED: Flaw = { verdict: 'altered', differs: ['bytes'] };
const COUNT_ALTERED: Flaw = { verdict: 'altered', differs: ['count'] };
const RESULT_ALTERED: Flaw = { verdict: 'altered', differs: ['result'] };

function costOf(flaw: Flaw | null): number {
  if (!flaw) return MATCHED_COST;
  return flaw.verdict === 'altered' ? alteredCost(flaw.differs) : PART_GONE_COST;
}

/**
 * Returns every explanation of a `std` record by the next writes, with at most one flaw each.
 *
 * @param result the record's
 */
export function explainLooped(call: RecordedCall, result: number, writeAt: WriteAt): Explanation[] {
  const found: Explanation[] = [];

  function offer(used: number, flaw: Flaw | null, cost = costOf(flaw)): void {
    found.push({ used, verdict: flaw?.verdict ?? 'matched', differs: flaw?.differs ?? [], cost });
  }

  /** Returns a write if it is on the call's descriptor: another one ends the reading. */
  function ownWriteAt(index: number): TracedWrite | undefined {
    const write = index < MOST_WRITES ? writeAt(index) : undefined;
    return write && isOnSameDescriptor(call, write) ? write : undefined;
  }

  /** Reads on from a place, with the flaw found before it. */
  function readFrom(place: Progress, flaw: Flaw | null): void {
    if (!flaw) offerLastGone(place);
    const write = ownWriteAt(place.index);
    if (!write) return;
    if (!flaw) readAfterGoneWrite(place, write);
    readWrite(place, write, flaw);
  }

  /** Offers that the call ends here: the last write is deleted. */
  function offerLastGone({ index, written }: Progress): void {
    if (index === 0 || written > result) return;
    // If certain, the deleted write is a swallowed error, or the write that must follow EINTR. If not, it wrote the rest,
    // and then it is likelier that the result of the write before it is altered.
    const isCertain = written === result || writeAt(index - 1)?.result === -EINTR;
    offer(index, WRITE_GONE, isCertain ? PART_GONE_COST : PART_MAY_BE_GONE_COST);
  }

  /** Reads a write that asks for less than is left: the one that took the difference is deleted. */
  function readAfterGoneWrite({ index, left, written }: Progress, write: TracedWrite): void {
    if (write.count <= 0 || write.count >= left) return;
    goOnAfter({ index, left: write.count, written: written + left - write.count }, write, WRITE_GONE);
  }

  /** Reads a write as the next of the loop, and whatever is altered in it as a flaw. */
  function readWrite(place: Progress, write: TracedWrite, flaw: Flaw | null): void {
    // The record has the bytes from the first on; those of a later write are not compared.
    const isTextAltered = place.written === 0 && !hasSameText(call, write);
    const isCountAltered = write.count !== place.left;
    if (Number(flaw !== null) + Number(isTextAltered) + Number(isCountAltered) > 1) return;
    if (isTextAltered) goOnAfter(place, write, BYTES_ALTERED);
    else if (isCountAltered) goOnAfter(place, write, COUNT_ALTERED);
    else {
      goOnAfter(place, write, flaw);
      if (!flaw) readWithOtherResult(place, write);
    }
  }

  /** Reads a write as one whose result is altered: the count of the next write, or the record, has the true one. */
  function readWithOtherResult({ index, left, written }: Progress, write: TracedWrite): void {
    const next = ownWriteAt(index + 1);
    if (next && next.count > 0 && next.count < left && left - next.count !== write.result)
      readFrom({ index: index + 1, left: next.count, written: written + left - next.count }, RESULT_ALTERED);
    offer(index + 1, RESULT_ALTERED);
  }

  /** Goes on as libuv does after a write: repeats it, writes the rest, or returns. */
  function goOnAfter({ index, left, written }: Progress, { result: taken }: TracedWrite, flaw: Flaw | null): void {
    if (taken === undefined) offer(index + 1, flaw);
    else if (taken === -EINTR) readFrom({ index: index + 1, left, written }, flaw);
    else if (taken > 0 && taken < left)
      readFrom({ index: index + 1, left: left - taken, written: written + taken }, flaw);
    else {
      // The call returns here. An error after a partial write is swallowed.
      const returned = taken > 0 || written > 0 ? written + Math.max(0, taken) : taken;
      if (returned === result) offer(index + 1, flaw);
    }
  }

  readFrom({ index: 0, left: call.count, written: 0 }, null);

  // One write may have more than one flaw.
  const first = ownWriteAt(0);
  const single = first && explainSingle(call, first);
  if (single?.verdict === 'altered' && single.differs.length > 1) found.push(single);
  return found;
}

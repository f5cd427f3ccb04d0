// Compares one record with the traced writes from the next one on, whatever comes before and after them.
// At most levels a call is one write (single.ts); at `std` it may be several (looped.ts). A witness says which writes it
// was (witnessed.ts).
import { constants } from 'node:os';
import { ENTER, type TracedWrite } from '../formats/format.js';
import type { RecordedCall } from '../record-line.js';
import { type Explanation, hasSameText, isExact, isOnSameDescriptor, ONE_MATCH, type WriteAt } from './explanation.js';
import { explainLooped } from './looped.js';
import { explainSingle } from './single.js';
import { explainWitnessed } from './witnessed.js';

const { EINTR } = constants.errno;

/** The level whose one call may be several writes. */
const LOOPED_LEVEL = 'std';

/** Does one write with the record's result end the call? libuv goes on after a partial write and after EINTR. */
const endsWithOneWrite = ({ level, count, result }: RecordedCall): boolean =>
  level !== LOOPED_LEVEL || result === count || (result !== undefined && result < 0 && result !== -EINTR);

const ONLY_ONE_MATCH: readonly Explanation[] = [ONE_MATCH];

/** Explains a record by its own values. @param write the next one, which is on the record's descriptor */
function explainRecord(call: RecordedCall, write: TracedWrite, writeAt: WriteAt): readonly Explanation[] {
  // Most of a million records end here: nothing is allocated for them.
  if (write.count === call.count && write.result === call.result && endsWithOneWrite(call) && hasSameText(call, write))
    return ONLY_ONE_MATCH;
  // Of a `uring` record without a witness, only the order says which io_uring_enter it was.
  if (call.name === ENTER) return ONLY_ONE_MATCH;
  if (call.level === LOOPED_LEVEL && call.result !== undefined) return explainLooped(call, call.result, writeAt);
  const explanation = explainSingle(call, write);
  return explanation ? [explanation] : [];
}

/** Returns every way to read the next writes as the call of a record. */
export function explain(call: RecordedCall, writeAt: WriteAt): readonly Explanation[] {
  const write = writeAt(0);
  if (!write || !isOnSameDescriptor(call, write)) return [];
  const { witness } = call;
  if (witness === null || !witness.isWhole) return explainRecord(call, write, writeAt);
  return explainWitnessed(call, witness, writeAt, () => explainRecord(call, write, writeAt));
}

/** Returns the explanation in which the writes agree with the record, or with its witness, in everything. */
export function explainExactly(call: RecordedCall, writeAt: WriteAt): Explanation | undefined {
  return explain(call, writeAt).find(isExact);
}

// Compares one record with the traced writes from the next one on, whatever comes before and after them.
// At most levels a call is one write (single.ts); at `std` it may be several (looped.ts).
import { constants } from 'node:os';
import type { RecordedCall } from '../record-line.js';
import { type Explanation, hasSameText, isOnSameDescriptor, ONE_MATCH, type WriteAt } from './explanation.js';
import { explainLooped } from './looped.js';
import { explainSingle } from './single.js';

const { EINTR } = constants.errno;

/** The level whose one call may be several writes. */
const LOOPED_LEVEL = 'std';

/** Does one write with the record's result end the call? libuv goes on after a partial write and after EINTR. */
const endsWithOneWrite = ({ level, count, result }: RecordedCall): boolean =>
  level !== LOOPED_LEVEL || result === count || (result !== undefined && result < 0 && result !== -EINTR);

const ONLY_ONE_MATCH: readonly Explanation[] = [ONE_MATCH];

/** Returns every way to read the next writes as the call of a record. */
export function explain(call: RecordedCall, writeAt: WriteAt): readonly Explanation[] {
  const write = writeAt(0);
  if (!write || !isOnSameDescriptor(call, write)) return [];
  // Most of a million records end here: nothing is allocated for them.
  if (write.count === call.count && write.result === call.result && endsWithOneWrite(call) && hasSameText(call, write))
    return ONLY_ONE_MATCH;
  if (call.level === LOOPED_LEVEL && call.result !== undefined) return explainLooped(call, call.result, writeAt);
  const explanation = explainSingle(call, write);
  return explanation ? [explanation] : [];
}

/** Returns the explanation in which the writes agree with the record in everything. */
export function explainExactly(call: RecordedCall, writeAt: WriteAt): Explanation | undefined {
  return explain(call, writeAt).find(({ verdict }) => verdict === 'matched');
}

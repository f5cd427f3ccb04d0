// The traced writes of a call whose witness listed them. The list says which writes the call was, so it is compared
// write by write, and tells more than the record alone: a repetition after EINTR, the io_uring_enter of `uring`, or what
// a library between the service and the kernel made of the call.
//
// Example: at `std`, the record says 10 bytes, 10 written; the witness saw three writes: 10 → 4, 6 → EINTR, 6 → 6.
//   10 → 4, 6 → EINTR, 6 → 6    matched
//   10 → 4, 6 → 6               missing: one of the three. The record alone would take these two as the whole call
//   10 → 4, 6 → EINTR, 6 → 5    altered: result
//
// Example: at `os`, the record says 5 bytes, 5 written. A library wrote "hell" and returned 5; the witness saw 4 → 4.
//   4 → 4    altered: bytes, count, result. The trace and the witness agree, against the record

import { ENTER, type TracedWrite } from '../formats/format.js';
import type { RecordedCall } from '../record-line.js';
import type { Witness, WitnessedCall } from '../witness.js';
import {
  alteredCost,
  type Explanation,
  type Field,
  hasSameText,
  isOnSameDescriptor,
  MATCHED_COST,
  ONE_MATCH,
  PART_GONE_COST,
  type WriteAt,
} from './explanation.js';
import { explainSingle } from './single.js';

/** Is a traced write the one that the witness saw? */
const isSame = (call: RecordedCall, seen: WitnessedCall, write: TracedWrite | undefined): boolean =>
  write !== undefined && isOnSameDescriptor(call, write) && explainSingle(seen, write) === ONE_MATCH;

/** Are the next writes those that the witness saw, from a place in its list on? @param skipped writes before them */
const areSame = (call: RecordedCall, list: WitnessedCall[], from: number, skipped: number, writeAt: WriteAt): boolean =>
  list.slice(from).every((seen, index) => isSame(call, seen, writeAt(skipped + index)));

/** Returns the witness's list with the record's bytes: it has them also where the kernel refused the write. */
function withBytes({ text }: RecordedCall, calls: WitnessedCall[]): WitnessedCall[] {
  const [first, ...others] = calls as [WitnessedCall];
  return [{ ...first, text, isWhole: true }, ...others];
}

/** Returns each explanation by a list that explains the record too, with at most one write altered or gone. */
function explainByList(call: RecordedCall, list: WitnessedCall[], writeAt: WriteAt): Explanation[] {
  const used = list.length;
  const place = list.findIndex((seen, index) => !isSame(call, seen, writeAt(index)));
  if (place < 0) return [{ used, verdict: 'matched', differs: [], cost: MATCHED_COST }];
  const found: Explanation[] = [];
  const write = writeAt(place);
  const isOwn = write !== undefined && isOnSameDescriptor(call, write);
  const single = isOwn ? explainSingle(list[place] as WitnessedCall, write) : null;
  if (single && areSame(call, list, place + 1, place + 1, writeAt)) found.push({ ...single, used });
  if (used > 1 && areSame(call, list, place + 1, place, writeAt))
    found.push({ used: used - 1, verdict: 'missing', differs: [], cost: PART_GONE_COST });
  return found;
}

/** Returns the fields in which traced writes differ from the record, where they are not the writes of such a call. */
function findDifferences(call: RecordedCall, used: number, writeAt: WriteAt): Field[] {
  const write = writeAt(0) as TracedWrite;
  if (used > 1 && call.level !== 'std') return ['calls'];
  const differs: Field[] = [];
  if (!hasSameText(call, write)) differs.push('bytes');
  if (write.count !== call.count) differs.push('count');
  if (used > 1 ? differs.length === 0 : write.result !== call.result) differs.push('result');
  return differs;
}

/**
 * Returns every explanation of a record by the next writes, which are on its descriptor.
 *
 * @param explainRecord explains the record as if it had no witness
 */
export function explainWitnessed(
  call: RecordedCall,
  { calls, confirms }: Witness,
  writeAt: WriteAt,
  explainRecord: () => readonly Explanation[],
): readonly Explanation[] {
  if (calls.length === 0) return confirms || call.name === ENTER ? [] : explainRecord();
  if (call.name === ENTER) return explainByList(call, calls, writeAt);
  if (confirms) return explainByList(call, withBytes(call, calls), writeAt);

  // The witness contradicts the record. The trace may agree with either, or with neither.
  const byRecord = explainRecord();
  const used = calls.length;
  if (areSame(call, calls, 0, 0, writeAt)) {
    // For example where the trace shows no bytes, and only they differ.
    if (byRecord.some((each) => each.verdict === 'matched' && each.used === used)) return byRecord;
    return [{ used, verdict: 'altered', differs: findDifferences(call, used, writeAt), cost: MATCHED_COST }];
  }
  const near = used === 1 ? explainSingle(calls[0] as WitnessedCall, writeAt(0) as TracedWrite) : null;
  if (!near) return byRecord;
  const differs = findDifferences(call, 1, writeAt);
  return differs.length === 0 ? byRecord : [...byRecord, { ...near, differs, cost: alteredCost(differs) }];
}

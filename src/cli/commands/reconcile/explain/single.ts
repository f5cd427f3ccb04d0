// One traced write for one record: the rule for all levels but `std`.
//
// Example: the record says that 5 bytes "hello" were asked for and 5 written.
//   write(…, "hello", 5) = 5      matched
//   write(…, "hello", 5) = 3      altered: result
//   write(…, "hello", 9) = 9      altered: count, result. The bytes agree, so it is still this call
//   write(…, "world", 9) = 9      null: it has nothing in common with the record, so it is another call
import type { TracedWrite } from '../formats/format.js';
import { alteredCost, type Expected, type Explanation, type Field, hasSameText, ONE_MATCH } from './explanation.js';

/** Explains a record, or a call that its witness saw, by one write on its descriptor. */
export function explainSingle(call: Expected, write: TracedWrite): Explanation | null {
  const isSameText = hasSameText(call, write);
  const isSameCount = write.count === call.count;
  const isSameResult = write.result === undefined || call.result === undefined || write.result === call.result;
  if (isSameText && isSameCount && isSameResult) return ONE_MATCH;

  const hasTextInCommon = isSameText && Boolean(write.text);
  if (!isSameCount && !isSameResult && !hasTextInCommon) return null;

  const differs: Field[] = [];
  if (!isSameText) differs.push('bytes');
  if (!isSameCount) differs.push('count');
  if (!isSameResult) differs.push('result');
  return { used: 1, verdict: 'altered', differs, cost: alteredCost(differs) };
}

// An explanation: one way to read traced writes as the call that a record describes, and its cost in a script of edits.

import type { TracedWrite } from '../formats/format.js';
import type { RecordedCall } from '../record-line.js';

/** `calls`: one write was made as several, or several as one. */
export type Field = 'bytes' | 'count' | 'result' | 'calls';
export type Verdict = 'matched' | 'altered' | 'missing';

export type Explanation = {
  /** The number of traced writes that it takes. */
  used: number;
  verdict: Verdict;
  differs: readonly Field[];
  /** The cost in a script of edits, where a record without a write costs 1 (align/script.ts). */
  cost: number;
};

/** Returns the traced write `index` places after the next one, if the trace has it. */
export type WriteAt = (index: number) => TracedWrite | undefined;

/**
 * The cost of a pair that agrees. It outweighs two pairs that differ: in a trace with one line deleted
 * before a call and one added after it, that call still matches.
 */
export const MATCHED_COST = -0.5;

/**
 * Returns the cost of a pair that differs: less than that of a record without a write, so that a window full of
 * such pairs stays paired.
 */
export const alteredCost = (differs: readonly Field[]): number => 0.8 + differs.length / 20;

/** Some of a call's writes are there, and only a missing one explains them: cheaper than a pair that differs. */
export const PART_GONE_COST = 0.7;

/** A write that agrees with its record in everything: nearly all do, so they share one object. */
export const ONE_MATCH: Explanation = { used: 1, verdict: 'matched', differs: [], cost: MATCHED_COST };

/** Does an explanation leave nothing open? The writes agree in everything with the record, or with its witness. */
export const isExact = ({ cost }: Explanation): boolean => cost === MATCHED_COST;

/** The values that a trace is compared with: those of a record, or of a call that a witness saw. */
export type Expected = {
  count: number;
  result: number | undefined;
  text: string | undefined;
  /** False if the text is only the beginning. A record's is whole. */
  isWhole?: boolean;
};

/** Compares the bytes as far as both sides have them. */
export function hasSameText({ text, isWhole = true }: Expected, write: TracedWrite): boolean {
  if (write.text === undefined || text === undefined) return true;
  if (isWhole) return write.isWhole ? write.text === text : text.startsWith(write.text);
  return write.text.startsWith(text) || (!write.isWhole && text.startsWith(write.text));
}

/**
 * Is the write on the call's descriptor, by its process? Some tracers report threads only. The service
 * makes its calls on the main thread, whose id is the id of the process.
 */
export const isOnSameDescriptor = (call: RecordedCall, { name, fd, pid, tid }: TracedWrite): boolean =>
  fd === call.fd && name === call.name && (pid ?? tid ?? call.pid) === call.pid;

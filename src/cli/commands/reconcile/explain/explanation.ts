// An explanation: one way to read traced writes as the call that a record describes, and its cost in a script of edits.
import type { RecordedCall } from '../record-line.js';
import type { TracedWrite } from '../traces.js';

export type Field = 'bytes' | 'count' | 'result';
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

/** A write that agrees with its record in everything: nearly all do, so they share one object. */
export const ONE_MATCH: Explanation = { used: 1, verdict: 'matched', differs: [], cost: MATCHED_COST };

/** Compares the bytes as far as the trace has them. */
export const hasSameText = (call: RecordedCall, write: TracedWrite): boolean =>
  write.text === undefined || (write.isWhole ? write.text === call.text : call.text.startsWith(write.text));

/**
 * Is the write on the call's descriptor, by its process? Some tracers report threads only. The service
 * makes its calls on the main thread, whose id is the id of the process.
 */
export const isOnSameDescriptor = (call: RecordedCall, { fd, pid, tid }: TracedWrite): boolean =>
  fd === call.fd && (pid ?? tid ?? call.pid) === call.pid;

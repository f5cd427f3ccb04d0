// The records of `uring` in a trace. Their write is an entry in a ring, which no tracer sees. But the io_uring_enter that
// submits it is a system call, and a witness says which ones a record made.

import { ENTER } from './formats/format.js';
import type { RecordedCall } from './record-line.js';

/** Did a witness see the record's io_uring_enter? */
export const hasEnter = ({ level, witness }: RecordedCall): boolean =>
  level === 'uring' && witness?.isWhole === true && witness.calls.length > 0;

/** Is it a record that io_uring_enter stands for, without a witness that says which? */
export const isUnwitnessed = ({ name, witness }: RecordedCall): boolean => name === ENTER && !witness?.isWhole;

/**
 * Returns a record with the values of its first io_uring_enter in place of its own.
 *
 * A record without a witness has one too, with values that are not known: it takes its place in the order, so that its
 * io_uring_enter is not taken for that of another record.
 *
 * @param ring the ring of its process
 */
export function asEnter(record: RecordedCall, ring: number): RecordedCall {
  const { fd, count, result } = (hasEnter(record) && record.witness?.calls[0]) || {
    fd: ring,
    count: 0,
    result: record.result,
  };
  return { ...record, name: ENTER, fd, count, result, text: '', record };
}

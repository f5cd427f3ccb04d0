// The claims of the soak about witnesses: a record has a report if its request asked for one, the report confirms the record,
// and the report of an answer is that of its records.
import { isDeepStrictEqual } from 'node:util';
import type { BurstResult, WriteResult } from '../../src/protocol/calls.js';
import type { CallRecord } from '../../src/protocol/records.js';
import { AGREES, type SystemCall } from '../../src/protocol/system-call.js';
import type { Checks } from './checks.js';

/** The sum of the reports of one message's records. */
export type Reported = {
  records: number;
  /** The system calls in the lists, and those dropped. */
  calls: number;
  dropped: number;
  isComplete: boolean;
  verdict: string;
  disagreed: number;
  /** The lists one after the other; none for bursts, which are long. */
  systemCalls: SystemCall[];
};

export const emptyReported = (): Reported => ({
  records: 0,
  calls: 0,
  dropped: 0,
  isComplete: true,
  verdict: AGREES,
  disagreed: 0,
  systemCalls: [],
});

/** Returns the bytes that a record's writes to its descriptor wrote, as the witness saw them. */
function bytesSeen({ fd, systemCalls = [] }: CallRecord): number {
  let bytes = 0;
  for (const { name, origin, arguments: registers, result } of systemCalls)
    if (name === 'write' && origin.isLevel && (Number(registers[0]) | 0) === fd) bytes += Math.max(0, Number(result));
  return bytes;
}

/** Checks a record, and adds its report to that of its message. @returns true if it has one */
export function addReport(
  { check }: Checks,
  reported: Reported,
  record: CallRecord,
  { isWitnessed, isBurst }: { isWitnessed: boolean; isBurst: boolean },
): boolean {
  const { level, written, systemCalls, complete = false, dropped = 0, verdict = '' } = record;
  const describe = (): string => JSON.stringify(record);
  check('a record has a list of system calls if its request asked for one', !!systemCalls === isWitnessed, describe);
  if (!systemCalls) return false;
  // The garbage collector may make more calls than a list keeps.
  const isCut = dropped > 0 && /^only \d+ of \d+ calls were kept$/.test(verdict);
  check('every witnessed write agrees', isCut || (verdict === AGREES && complete && dropped === 0), describe);
  // uring writes in the kernel, where the witness sees nothing.
  const isSeen = isCut || level === 'uring' || bytesSeen(record) === written;
  check('the witness saw as many bytes as the record has', isSeen, describe);
  reported.records += 1;
  reported.calls += systemCalls.length;
  reported.dropped += dropped;
  reported.isComplete &&= complete;
  if (verdict !== AGREES) {
    if (reported.disagreed === 0) reported.verdict = verdict;
    reported.disagreed += 1;
  }
  if (!isBurst) reported.systemCalls.push(...systemCalls);
  return true;
}

type Answer = Partial<WriteResult> | Partial<BurstResult>;

/** Returns true if the report of an answer is that of its records. */
export function isReportOf(answer: Answer, reported: Reported): boolean {
  const { systemCalls, complete, dropped = 0, verdict } = answer;
  if (reported.records === 0) return !systemCalls && complete === undefined && verdict === undefined;
  if (!systemCalls || complete !== reported.isComplete || verdict !== reported.verdict) return false;
  if ('count' in answer) {
    const { systemCalls: kinds = [], disagreed } = answer as BurstResult;
    const listed = kinds.reduce((sum, { times }) => sum + times, 0);
    return listed + dropped === reported.calls + reported.dropped && disagreed === reported.disagreed;
  }
  // An answer keeps fewer calls than all records together.
  return dropped === reported.dropped
    ? isDeepStrictEqual(systemCalls, reported.systemCalls)
    : systemCalls.length + dropped === reported.calls + reported.dropped;
}

/** Returns a result without its report. */
export function withoutReport(result: Record<string, unknown>): Record<string, unknown> {
  const { systemCalls: _, complete: __, dropped: ___, disagreed: ____, verdict: _____, ...facts } = result;
  return facts;
}

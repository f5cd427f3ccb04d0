// The third opinion. Where a record and the trace differ, its witness agrees with one of them, or with neither.
import { AGREES } from '../../../protocol/system-call.js';
import type { Finding, FoundCall } from './align/steps.js';

/** The side that the witness agrees with; `unknown` if it did not keep all calls. */
export type Opinion = 'record' | 'trace' | 'neither' | 'unknown';

/** The number of records that have a witness, and of what their witnesses say. */
export type OpinionCounts = {
  records: number;
  /** Differences, by the side that the witness agrees with. */
  agreesWith: Record<Opinion, number>;
  /** Matched records that their witness does not confirm. */
  unconfirmed: number;
};

/** The verdict of a record whose values contradict its system calls, though its verdict is `agrees`. */
const CHANGED = 'its system calls do not explain it, though its verdict is "agrees"';

/** Returns what the witness says of a difference; null if the record has none. */
export function opinionOf({ call: { witness }, writes, isExact }: FoundCall): Opinion | null {
  if (!witness) return null;
  if (!witness.isWhole) return 'unknown';
  if (witness.confirms) return 'record';
  return isExact || (writes.length === 0 && witness.calls.length === 0) ? 'trace' : 'neither';
}

/** Returns why a witness does not confirm a record that matches the trace; null if it does, or cannot say. */
function doubtOf({ call: { witness } }: FoundCall): string | null {
  if (!witness?.isWhole || (witness.confirms && witness.verdict === AGREES)) return null;
  return witness.verdict === AGREES ? CHANGED : witness.verdict;
}

/** The words for each opinion on differences, for notes. */
const IN_WORDS: Record<Opinion, string> = {
  record: 'the witness agrees with the record, against the trace',
  trace: 'the witness agrees with the trace, against the record',
  neither: 'the witness agrees with neither side',
  unknown: 'the witness cannot say: it did not keep all system calls',
};

/** The most doubts with words of their own. */
const MOST_NAMED = 10;

/** Counts opinions and doubts. */
export function createOpinionCount() {
  const counts: OpinionCounts = {
    records: 0,
    agreesWith: { record: 0, trace: 0, neither: 0, unknown: 0 },
    unconfirmed: 0,
  };
  /** By doubt, the number of records and the first of them. */
  const doubts = new Map<string, { count: number; first: number }>();

  return {
    counts,
    add(finding: Finding): void {
      if (finding.kind === 'extra' || finding.call.witness === null) return;
      counts.records += 1;
      if (finding.kind !== 'matched') {
        counts.agreesWith[opinionOf(finding) as Opinion] += 1;
        return;
      }
      const doubt = doubtOf(finding);
      if (doubt === null) return;
      counts.unconfirmed += 1;
      const known = doubts.get(doubt);
      if (known) known.count += 1;
      else if (doubts.size < MOST_NAMED) doubts.set(doubt, { count: 1, first: finding.call.seq });
    },
    notes(): string[] {
      const notes: string[] = [];
      for (const [opinion, count] of Object.entries(counts.agreesWith) as [Opinion, number][])
        if (count > 0) notes.push(`${count} ${count === 1 ? 'difference' : 'differences'}: ${IN_WORDS[opinion]}`);
      for (const [doubt, { count, first }] of doubts)
        notes.push(
          count === 1
            ? `record ${first} matches, but its witness does not confirm it: ${doubt}`
            : `${count} records match, but their witnesses do not confirm them, first that of record ${first}: ${doubt}`,
        );
      return notes;
    },
  };
}

// The accounts of subscribers: records delivered + records lost in gaps = records that pass the filter.

import { LEVEL_IDS, type LevelId } from '../../src/protocol/names.js';
import type { CallRecord } from '../../src/protocol/records.js';
import { createColumn } from './column.js';

export type Filter = { level?: LevelId; target?: string; errors?: '1' };

/** The records that a subscriber got, from `first` to before `next`. */
export type Account = {
  filter: Filter;
  first: number;
  next: number;
  delivered: number;
  /** The sum of the delivered records' numbers. */
  sum: number;
  gaps: [from: number, to: number][];
};

export type Accounts = {
  /** Remembers the facts of a record that filters use. */
  addRecord: (record: CallRecord) => void;
  /** Returns the account in JSON if it does not add up, or null. All records before its `next` must have been added. */
  audit: (account: Account) => string | null;
};

export function createAccounts(targets: readonly string[]): Accounts {
  const levels = createColumn(Uint8Array);
  const targetsOf = createColumn(Uint8Array);
  const refused = createColumn(Uint8Array);

  /** Counts and sums the records that pass a filter, from `from` to before `to`. */
  function countPassing({ level, target, errors }: Filter, from: number, to: number): { count: number; sum: number } {
    let count = 0;
    let sum = 0;
    for (let seq = from; seq < to; seq++) {
      if (level !== undefined && levels.at(seq) !== LEVEL_IDS.indexOf(level)) continue;
      if (target !== undefined && targetsOf.at(seq) !== targets.indexOf(target)) continue;
      if (errors !== undefined && refused.at(seq) === 0) continue;
      count += 1;
      sum += seq;
    }
    return { count, sum };
  }

  return {
    addRecord({ seq, level, target, error }) {
      levels.set(seq, LEVEL_IDS.indexOf(level));
      targetsOf.set(seq, targets.indexOf(target));
      refused.set(seq, error ? 1 : 0);
    },
    audit({ filter, first, next, delivered, sum, gaps }) {
      const all = countPassing(filter, first, next);
      for (const [from, to] of gaps) {
        const lost = countPassing(filter, Math.max(first, from), to + 1);
        all.count -= lost.count;
        all.sum -= lost.sum;
      }
      if (delivered === all.count && sum === all.sum) return null;
      return JSON.stringify({ filter, first, next, delivered, sum, made: all, gaps }).slice(0, 2000);
    },
  };
}

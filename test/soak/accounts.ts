// The accounts of subscribers: what was streamed and what was told as lost is all that a filter lets pass.

import { LEVEL_IDS, type LevelId } from '../../src/protocol/names.js';
import type { CallRecord } from '../../src/protocol/records.js';
import { createColumn } from './column.js';

export type Filter = { level?: LevelId; target?: string; errors?: '1' };

/** What a subscriber was streamed, from `first` up to `next`. */
export type Account = {
  filter: Filter;
  first: number;
  next: number;
  delivered: number;
  /** The sum of the numbers delivered. */
  sum: number;
  gaps: [from: number, to: number][];
};

export type Accounts = {
  /** Remembers of a record what filters ask for. */
  made: (record: CallRecord) => void;
  /** Why an account does not add up; null when it does. All records up to its `next` must have been made. */
  audit: (account: Account) => string | null;
};

export function createAccounts(targets: readonly string[]): Accounts {
  const levels = createColumn(Uint8Array);
  const targetsOf = createColumn(Uint8Array);
  const refused = createColumn(Uint8Array);

  function passing({ level, target, errors }: Filter, from: number, to: number): { count: number; sum: number } {
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
    made({ seq, level, target, error }) {
      levels.set(seq, LEVEL_IDS.indexOf(level));
      targetsOf.set(seq, targets.indexOf(target));
      refused.set(seq, error ? 1 : 0);
    },
    audit({ filter, first, next, delivered, sum, gaps }) {
      const all = passing(filter, first, next);
      for (const [from, to] of gaps) {
        const lost = passing(filter, Math.max(first, from), to + 1);
        all.count -= lost.count;
        all.sum -= lost.sum;
      }
      if (delivered === all.count && sum === all.sum) return null;
      return JSON.stringify({ filter, first, next, delivered, sum, made: all, gaps }).slice(0, 2000);
    },
  };
}

// Invented calls, for tests of the journal and of its readers.
import type { Journal, MadeCall } from '../../src/server/records/journal.js';

const CALL = {
  time: 0,
  requestId: 'r',
  level: 0,
  target: 0,
  bytes: Buffer.from('x'),
  result: 1,
  durationNs: 1,
  report: null,
  end: 0,
};

/** Appends `count` calls that differ only in their numbers. @returns the number of the last call */
export function append(journal: Journal, count = 1, facts: Partial<MadeCall> = {}): number {
  for (let i = 0; i < count; i++) journal.append({ ...CALL, ...facts, seq: journal.next() });
  return journal.next() - 1;
}

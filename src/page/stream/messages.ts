// The messages between the document and the worker.
import type { Hello } from '../../protocol/records.js';
import type { Filter, Row, Second } from './history.js';

/**
 * The rows that the table wants: `count` of them, from the `from`-th newest on. `until` limits the choice to the first
 * `until` matching rows, so that newer ones move nothing; null asks for the newest.
 */
export type View = { from: number; count: number; until: number | null };

/** The rows of a view. `size` counts all rows to choose from, `matched` all that have matched the filter so far. */
export type Rows = { view: View; rows: Row[]; size: number; matched: number };

export type State = 'connecting' | 'live' | 'paused' | 'lost';

export type ToWorker =
  | { type: 'connect' }
  | { type: 'pause' }
  | { type: 'filter'; filter: Filter }
  | { type: 'view'; view: View };

export type FromWorker =
  | { type: 'state'; state: State; hello: Hello | null }
  | ({ type: 'rows'; received: number; lost: number } & Rows)
  | { type: 'rates'; rates: Record<string, Second[]> };

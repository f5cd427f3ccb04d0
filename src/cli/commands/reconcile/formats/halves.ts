// Joins the two halves of a call, for tracers that print one event when it begins and another one when it ends.
import type { LineContent, LineWrite } from './format.js';
import { isRestart } from './results.js';

export type Halves = {
  /** Takes the first half. A call of the same thread that never ended is torn. */
  begin: (thread: number, call: LineWrite) => LineContent;
  /** Takes the second half, with the result as the kernel returns it. Without a first half, the call is torn. */
  end: (thread: number, result: number | undefined) => LineContent;
  has: (thread: number) => boolean;
};

export function createHalves(): Halves {
  /** By thread, a call that has begun. */
  const open = new Map<number, LineWrite>();
  return {
    begin(thread, call) {
      const isTorn = open.has(thread);
      open.set(thread, call);
      return isTorn ? 'unreadable' : null;
    },
    end(thread, result) {
      const call = open.get(thread);
      open.delete(thread);
      if (!call) return 'unreadable';
      return result !== undefined && isRestart(result) ? null : { ...call, result };
    },
    has: (thread) => open.has(thread),
  };
}

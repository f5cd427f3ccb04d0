// The targets that need no path: stdout and stderr, which every process has, null, and the fault targets.
import { FAULT_NAMES, openFault } from './faults.js';
import { openNull } from './null.js';
import type { Target } from './target.js';

/** The names of all targets that need no path, in the order of lists. */
export const BUILT_IN_NAMES: readonly string[] = ['stdout', 'stderr', 'null', ...FAULT_NAMES];

/**
 * Opens a built-in target by its name, except for stdout and stderr, which are open. A target that this machine does not
 * have has a `reason`.
 *
 * @returns null if no such target has that name
 */
export function openBuiltIn(name: string): Target | null {
  if (name === 'null') return openNull();
  return FAULT_NAMES.includes(name) ? openFault(name) : null;
}

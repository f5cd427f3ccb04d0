// The targets of the service: stdout, stderr, those that the user named, and the fault targets.
import { openFaults } from '../../syscalls/targets/faults.js';
import { adoptTarget, openTarget, type Target } from '../../syscalls/targets/target.js';

export type Targets = {
  /** In the order in which they are listed; records keep a target's index in it. */
  all: readonly Target[];
  /** A target's index; undefined when no target has that name. */
  indexOf: (name: string) => number | undefined;
};

/**
 * Opens all targets. When one cannot be opened, the others are put back and closed.
 *
 * @param paths name → path, besides `stdout` and `stderr`
 * @param faults whether to open the fault targets
 * @throws an error with `code` when a path cannot be opened; an error when two targets have one name, since a client
 *   could not say which one it means
 */
export function openTargets(paths: Record<string, string>, faults: boolean): Targets {
  const all: Target[] = [];
  const indices = new Map<string, number>();
  function add(target: Target): void {
    const isTaken = indices.has(target.name);
    indices.set(target.name, all.length);
    all.push(target);
    if (isTaken) throw new Error(`there is a target '${target.name}' already: choose another name`);
  }
  try {
    add(adoptTarget('stdout', 1));
    add(adoptTarget('stderr', 2));
    if (faults) for (const target of openFaults()) add(target);
    for (const [name, path] of Object.entries(paths)) add(openTarget(name, path));
  } catch (error) {
    for (const target of all) target.close();
    throw error;
  }
  return { all, indexOf: (name) => indices.get(name) };
}

// Which targets the service has: stdout, stderr, those it was given, and the fault targets.
import { openFaults } from '../../syscalls/targets/faults.js';
import { adoptTarget, openTarget, type Target } from '../../syscalls/targets/target.js';

/**
 * Opens them all. When one cannot be, those already open are put back and closed.
 *
 * @param paths name → path, besides `stdout` and `stderr`
 * @param faults whether there are fault targets
 * @throws an error with `code` when a path cannot be opened, or when two have one name: a client
 *   could not say which it means
 */
export function openTargets(paths: Record<string, string>, faults: boolean): Target[] {
  const open: Target[] = [];
  function add(target: Target): void {
    const twice = open.some(({ name }) => name === target.name);
    open.push(target);
    if (twice) throw new Error(`there is a target '${target.name}' already: choose another name`);
  }
  try {
    add(adoptTarget('stdout', 1));
    add(adoptTarget('stderr', 2));
    if (faults) for (const target of openFaults()) add(target);
    for (const [name, path] of Object.entries(paths)) add(openTarget(name, path));
  } catch (error) {
    for (const target of open) target.close();
    throw error;
  }
  return open;
}

// The targets of the service: stdout, stderr, null, the fault targets, and the paths given with --target.
import { nearest } from '../../protocol/choices.js';
import { FAULT_NAMES, openFaults } from '../../syscalls/targets/faults.js';
import { openNull } from '../../syscalls/targets/null.js';
import { adoptTarget, openTarget, type Target } from '../../syscalls/targets/target.js';
import { type Refusal, refusal } from '../refusal.js';

export type Targets = {
  /** In the order of GET /targets. Records store a target's index in this list. */
  all: readonly Target[];
  /** Returns a target's index; undefined when no target has that name. */
  indexOf: (name: string) => number | undefined;
};

/**
 * Makes the refusal of a request for a target that does not exist.
 *
 * @param pointer the field of the request that names the target: `#/target`, `?target`
 */
export function unknownTarget(targets: Targets, name: string, pointer: string): Refusal {
  const names = targets.all.map((target) => target.name);
  const meant = nearest(name, names);
  const detail = `there is no target '${name}': ${meant ? `did you mean '${meant}'? ` : ''}GET /targets lists them; ${
    FAULT_NAMES.includes(name)
      ? 'this service runs without the fault targets'
      : `start the service with --target ${name}=PATH to add it`
  }`;
  return refusal('unknown-target', detail, { errors: [{ pointer, detail }] });
}

/**
 * Opens all targets. When one cannot be opened, the others are restored and closed.
 *
 * @param paths name → path, besides the built-in targets; a path for `null` replaces the null device
 * @param faults true to open the fault targets
 * @throws an error with `code` when a path cannot be opened; an error when two targets have the same name, because a
 *   client could not choose between them
 */
export function openTargets(paths: Record<string, string>, faults: boolean): Targets {
  const all: Target[] = [];
  const indices = new Map<string, number>();
  function add(target: Target): void {
    const isTaken = indices.has(target.name);
    indices.set(target.name, all.length);
    all.push(target);
    if (isTaken) throw new Error(`target '${target.name}' exists already: choose another name`);
  }
  try {
    add(adoptTarget('stdout', 1));
    add(adoptTarget('stderr', 2));
    const { null: nullPath, ...others } = paths;
    add(nullPath === undefined ? openNull() : openTarget('null', nullPath));
    if (faults) for (const target of openFaults()) add(target);
    for (const [name, path] of Object.entries(others)) add(openTarget(name, path));
  } catch (error) {
    for (const target of all) target.close();
    throw error;
  }
  return { all, indexOf: (name) => indices.get(name) };
}

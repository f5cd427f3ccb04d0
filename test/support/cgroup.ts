// A control group with a limit of memory, as a container has one.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = '/sys/fs/cgroup';
/** Version 1 has a tree for each controller: https://man7.org/linux/man-pages/man7/cgroups.7.html */
const V1 = {
  root: `${ROOT}/memory`,
  limit: 'memory.limit_in_bytes',
  peak: 'memory.max_usage_in_bytes',
};
const V2 = { root: ROOT, limit: 'memory.max', peak: 'memory.peak' };

export type Cgroup = {
  /** Puts the group around a command. */
  wrap: (command: string[]) => string[];
  /** The most memory that it ever used, in bytes. */
  peak: () => number;
  /** Removes the group, once its processes have ended. */
  remove: () => void;
};

/** Makes a group that may use so many bytes. @returns null where this process may not make one */
export function createCgroup(bytes: number): Cgroup | null {
  const { root, limit, peak } = existsSync(V1.root) ? V1 : V2;
  const folder = path.join(root, `syswire-test-${process.pid}`);
  try {
    mkdirSync(folder);
    writeFileSync(path.join(folder, limit), `${bytes}`);
  } catch {
    return null;
  }
  return {
    wrap: (command) => ['sh', '-c', `echo $$ > ${folder}/cgroup.procs; exec "$@"`, 'sh', ...command],
    remove: () => rmdirSync(folder),
    peak: () => Number(readFileSync(path.join(folder, peak), 'latin1')),
  };
}

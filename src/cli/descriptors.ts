// The number of files that the process may open, which must suffice before anything large is loaded.
import { readFileSync } from 'node:fs';
import { UsageError } from './command.js';

/** The service with its modules needs about a hundred at its start. */
const LEAST = 128;

/** Checks the limit of open files. @throws UsageError when it is too low */
export function checkDescriptors(): void {
  let limits: string;
  try {
    limits = readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return; // not Linux
  }
  // Node has raised the soft limit to the hard one at its start.
  const [, limit] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  if (limit !== undefined && Number(limit) < LEAST)
    throw new UsageError(
      `this process may open ${limit} files, and the service needs ${LEAST}: raise it (ulimit -Hn, LimitNOFILE)`,
    );
}

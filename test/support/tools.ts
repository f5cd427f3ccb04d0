// Checks that the tools which a test needs are installed and allowed.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';

export type Tool = { command: string; package: string };

function isInstalled(command: string): boolean {
  return (process.env.PATH ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Check that every tool is installed. If one is missing, skip the test with a message that names its package, and
 * return false; in CI, which installs them all, throw.
 */
export function need(t: TestContext, ...tools: Tool[]): boolean {
  const missing = tools.filter(({ command }) => !isInstalled(command));
  if (missing.length === 0) return true;
  const packages = [...new Set(missing.map((tool) => tool.package))].join(' ');
  const message = `needs ${missing.map(({ command }) => command).join(', ')}: apt-get install ${packages}`;
  if (process.env.CI === 'true') throw new Error(message);
  t.skip(message);
  return false;
}

/**
 * Check that a command succeeds on this machine; in a container it may be forbidden. If it fails, skip the test and
 * return false; in CI, throw.
 */
export function mayDo(t: TestContext, what: string, command: string, ...args: string[]): boolean {
  if (spawnSync(command, args).status === 0) return true;
  const message = `needs to ${what}, which is forbidden here`;
  if (process.env.CI === 'true') throw new Error(message);
  t.skip(message);
  return false;
}

/** True under AddressSanitizer. Its shadow memory fills 2 to 4 GiB, the range that int80 copies long messages to. */
export const underAsan = process.env.LD_PRELOAD?.includes('libasan') ?? false;

// Outside tools that a test needs.

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
 * Whether every tool is there. If one is not, the test is skipped, loudly; in CI, where they are all
 * installed first, it fails.
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

/** Whether this machine lets a command do what a test needs; a container may not. Skips the test, or fails in CI. */
export function mayDo(t: TestContext, what: string, command: string, ...args: string[]): boolean {
  if (spawnSync(command, args).status === 0) return true;
  const message = `needs to ${what}, which is forbidden here`;
  if (process.env.CI === 'true') throw new Error(message);
  t.skip(message);
  return false;
}

/** Whether AddressSanitizer runs with the tests. Its shadow fills 2 to 4 GiB, where int80 copies long messages to. */
export const underAsan = process.env.LD_PRELOAD?.includes('libasan') ?? false;

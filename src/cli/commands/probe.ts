// syswire probe CASE --level LEVEL: makes one write with arguments that no program should pass, and prints its result.
// The call is made in a child process, because it may kill the process.

import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { joinWithOr } from '../../protocol/format.js';
import type { LevelId } from '../../protocol/names.js';
import { HOSTILE, WRITE_FROM } from '../../syscalls/hostile.js';
import { levels, osError } from '../../syscalls/index.js';
import { ROOT } from '../../syscalls/root.js';
import { command, EXITS, UsageError } from '../command.js';

const CASES = Object.keys(HOSTILE);
const LEVELS = Object.keys(WRITE_FROM) as LevelId[];
/** The environment variable that marks the child process. Users do not set it. */
const CHILD = 'SYSWIRE_PROBE_CHILD';

/** Make the call in this process. */
function call(name: string, level: LevelId): number {
  const folder = mkdtempSync(path.join(tmpdir(), 'syswire-'));
  const file = openSync(path.join(folder, 'file'), 'w');
  rmSync(folder, { recursive: true });
  const { fd, address, count } = (HOSTILE[name] as (typeof HOSTILE)[string]).make();
  const result = WRITE_FROM[level]?.(fd ?? file, address, count);
  closeSync(file);
  return result as number;
}

/** Describe the result in one line for people. */
function describe(name: string, level: LevelId, result: number | null, signal: string | null): string {
  const at = `${name} at ${level}`;
  if (result === null) return `${at}: ${signal ? `killed by ${signal}` : 'the child process failed'}`;
  const error = osError(result);
  return error === null ? `${at}: ${result} bytes written` : `${at}: ${error.code} (${error.errno}): ${error.message}`;
}

export const probe = command({
  summary: 'make one write with hostile arguments, in a child process (Linux)',
  arguments: [{ name: 'CASE', noun: 'case', help: 'what is wrong with the arguments: see below', choices: CASES }],
  flags: {
    level: {
      value: 'LEVEL',
      help: `${joinWithOr(LEVELS)} (std and uring take no address)`,
      isRequired: true,
      choices: LEVELS,
    },
    json: { help: 'print {"case","level","result","error","signal"}' },
  },
  details: `${CASES.map((name) => `  ${name.padEnd(12)} ${HOSTILE[name]?.about}`).join('\n')}

The result is the number of bytes written or -errno. It is null if a signal killed the child.`,
  examples: [
    ['syswire probe null-1 --level raw', 'the kernel refuses one byte from a null address: EFAULT'],
    ['syswire probe runs-off --level os --json', 'writes the 4,096 bytes that are mapped, and not the rest'],
  ],
  exits: {
    0: 'the call returned a result',
    1: 'the child died, or the output could not be written',
    2: EXITS[2] as string,
  },
  run({ env, print }, values, [name = '']) {
    const level = values.level as LevelId;
    // The cases map memory with Linux's constants.
    if (process.platform !== 'linux') throw new UsageError(`this is ${process.platform}: probe runs on Linux only`);
    const { reason } = levels[level];
    if (reason !== null) throw new UsageError(`level '${level}' is not available here: ${reason}`);

    if (env[CHILD]) {
      print(`${call(name, level)}`);
      return 0;
    }
    const main = path.join(ROOT, 'dist/cli/main.js');
    const child = spawnSync(process.execPath, [main, 'probe', name, '--level', level], {
      env: { ...env, [CHILD]: '1' },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const result = child.status === 0 ? Number(child.stdout) : null;
    const { signal } = child;
    const error = result === null ? null : osError(result);
    print(
      values.json
        ? JSON.stringify({ case: name, level, result, error, signal })
        : describe(name, level, result, signal),
    );
    return result === null ? 1 : 0;
  },
});

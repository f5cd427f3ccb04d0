// syswire probe CASE --level LEVEL: makes one write with arguments that no program should pass, and prints its result.
// The call is made in a child process, because it may kill the process.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LevelId } from '../../protocol/names.js';
import { HOSTILE, WRITE_FROM } from '../../syscalls/hostile.js';
import { levels, osError } from '../../syscalls/index.js';
import { type Command, UsageError } from '../command.js';
import { joinWithOr, parseFlags } from '../flags.js';

const CASES = Object.keys(HOSTILE);
const LEVELS = Object.keys(WRITE_FROM) as LevelId[];
/** The environment variable that marks the child process. Users do not set it. */
const CHILD = 'SYSWIRE_PROBE_CHILD';

const HELP = `syswire probe CASE --level LEVEL: make one write with hostile arguments, in a child process (Linux)

${CASES.map((name) => `  ${name.padEnd(12)} ${HOSTILE[name]?.about}`).join('\n')}

  --level      ${LEVELS.join(', ')} (std and uring take no address)

It prints {"case","level","result","error","signal"}: result is the number of bytes written or -errno, or
null if a signal killed the child.

exit: 0 the call returned a result, 1 the child died, or the output could not be written, 2 wrong usage`;

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

export const probe: Command = ({ args, env, print }) => {
  const { values, positionals } = parseFlags({
    args,
    options: { level: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  if (values.help) {
    print(HELP);
    return 0;
  }
  const [name, extra] = positionals;
  if (extra !== undefined) throw new UsageError(`more than one case is given: leave out '${extra}'`);
  if (name === undefined) throw new UsageError(`case is missing: use ${joinWithOr(CASES)}`);
  if (!CASES.includes(name)) throw new UsageError(`case '${name}' is unknown: use ${joinWithOr(CASES)}`);
  if (values.level === undefined) throw new UsageError(`--level is missing: use ${joinWithOr(LEVELS)}`);
  const level = LEVELS.find((known) => known === values.level);
  if (!level) throw new UsageError(`--level ${values.level} cannot be probed: use ${joinWithOr(LEVELS)}`);
  // The cases map memory with Linux's constants.
  if (process.platform !== 'linux') throw new UsageError(`this is ${process.platform}: probe runs on Linux only`);
  const { reason } = levels[level];
  if (reason !== null) throw new UsageError(`level '${level}' is not available here: ${reason}`);

  if (env[CHILD]) {
    print(`${call(name, level)}`);
    return 0;
  }
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  const child = spawnSync(process.execPath, [main, 'probe', name, '--level', level], {
    env: { ...env, [CHILD]: '1' },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const result = child.status === 0 ? Number(child.stdout) : null;
  print(
    JSON.stringify({
      case: name,
      level,
      result,
      error: result === null ? null : osError(result),
      signal: child.signal,
    }),
  );
  return result === null ? 1 : 0;
};

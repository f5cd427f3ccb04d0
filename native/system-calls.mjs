// Writes the header with the names of the system calls that native/witness-names.cc includes. The compiler reads them
// from the kernel's own headers, so that nobody maintains a list.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

const HEADERS = { SYSTEM_CALLS_64: 'asm/unistd_64.h', SYSTEM_CALLS_32: 'asm/unistd_32.h' };

/** Returns the names in the order of their numbers, with a blank between two; null without the header. */
function namesIn(header, [command, ...first]) {
  const args = [...first, '-E', '-dM', '-x', 'c++', '-include', header, '/dev/null'];
  const { stdout, status } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  if (status !== 0) return null;
  const names = [];
  for (const [, name, number] of stdout.matchAll(/^#define __NR_(\w+) (\d+)$/gm)) names[number] = name;
  return Array.from(names, (name) => name ?? '').join(' ');
}

/**
 * Writes syscall-names.h into a folder. @param compiler a list of words @returns the headers that are missing: all of them
 * when the compiler does not work, which the build, which comes next, reports
 */
export function writeSystemCalls(folder, compiler) {
  const rows = Object.entries(HEADERS).map(([table, header]) => ({ table, header, names: namesIn(header, compiler) }));
  const lines = rows.map(({ table, names }) => `constexpr char ${table}[] = "${names ?? ''}";\n`);
  writeFileSync(path.join(folder, 'syscall-names.h'), lines.join(''));
  return rows.flatMap(({ header, names }) => (names === null ? header : []));
}

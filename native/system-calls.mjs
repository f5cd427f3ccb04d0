// Writes the header with the names of the system calls that native/witness-names.cc includes. The compiler reads them
// from the kernel's own headers, so that nobody maintains a list.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

const HEADERS = { SYSTEM_CALLS_64: 'asm/unistd_64.h', SYSTEM_CALLS_32: 'asm/unistd_32.h' };

/** Returns the names in the order of their numbers, with a blank between two; empty without the header. */
function namesIn(header, [command, ...first]) {
  const args = [...first, '-E', '-dM', '-x', 'c++', '-include', header, '/dev/null'];
  const { stdout, status, error } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  if (error) return ''; // the build, which comes next, says that there is no compiler
  if (status !== 0)
    console.error(`native/build.mjs: no <${header}>: the witness shows numbers (Alpine: apk add linux-headers)`);
  const names = [];
  for (const [, name, number] of stdout.matchAll(/^#define __NR_(\w+) (\d+)$/gm)) names[number] = name;
  return Array.from(names, (name) => name ?? '').join(' ');
}

/** Writes syscall-names.h into a folder. @param compiler a list of words */
export function writeSystemCalls(folder, compiler) {
  const lines = Object.entries(HEADERS).map(
    ([table, header]) => `constexpr char ${table}[] = "${namesIn(header, compiler)}";\n`,
  );
  writeFileSync(path.join(folder, 'syscall-names.h'), lines.join(''));
}

// Brings in what is missing before `npm start` and `npm test`: the dependencies, and the build.
// It prints to stderr, since stdout belongs to what clients write. When nothing is missing it only
// compares a few times of change.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The newest change at or below a path, in ms; 0 when there is nothing. */
function newest(name) {
  const at = path.join(root, name);
  const stats = statSync(at, { throwIfNoEntry: false });
  if (!stats) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(0, ...readdirSync(at).map((entry) => newest(path.join(name, entry))));
}

/** Runs a command with its output on stderr; ends with its code if it fails. */
function run(reason, command, args) {
  console.error(`syswire: ${reason}: ${command} ${args.join(' ')}`);
  // npm is npm.cmd on Windows, which only a shell starts.
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}

// npm writes this file at the end of every install. No package needs its install script: koffi and
// esbuild come with their binaries.
if (newest('node_modules/.package-lock.json') < newest('package-lock.json'))
  run('installing', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);

// The build's last step writes this one, so that a build that failed is made again.
const built = newest('dist/.built');
const hasAddon = process.platform === 'win32' || newest('prebuilds') > 0;
const sources = ['src', 'native', 'scripts/build.mjs', 'tsconfig.json', 'package-lock.json'].map(newest);
if (built < Math.max(...sources) || !hasAddon) run('building', 'npm', ['run', '--silent', 'build']);

// Runs before `npm start` and `npm test`: installs the dependencies and builds, if they are missing or outdated.
// If nothing is missing, it only compares file times. It prints to stderr, because stdout belongs to the messages of
// clients.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Return the newest modification time at or below a path, in ms; 0 if the path does not exist. */
function newest(name) {
  const at = path.join(root, name);
  const stats = statSync(at, { throwIfNoEntry: false });
  if (!stats) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(0, ...readdirSync(at).map((entry) => newest(path.join(name, entry))));
}

/** Run a command with its output on stderr. If the command fails, exit with its code. */
function run(reason, command, args) {
  console.error(`syswire: ${reason}: ${command} ${args.join(' ')}`);
  // On Windows npm is npm.cmd, which only a shell can start.
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}

// npm writes .package-lock.json at the end of every install. --ignore-scripts: no package needs its install script,
// since koffi and esbuild ship their binaries.
if (newest('node_modules/.package-lock.json') < newest('package-lock.json'))
  run('installing', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);

// The build writes .built last, so that a build that failed is repeated.
const built = newest('dist/.built');
const hasAddon = process.platform === 'win32' || newest('prebuilds') > 0;
const sources = ['src', 'native', 'scripts/build.mjs', 'tsconfig.json', 'package-lock.json'].map(newest);
if (built < Math.max(...sources) || !hasAddon) run('building', 'npm', ['run', '--silent', 'build']);

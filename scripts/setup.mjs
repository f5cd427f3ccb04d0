// Runs before `npm start` and `npm test`, and when npm installs from a clone: installs the dependencies and builds, if
// they are missing or outdated. If nothing is missing, it only compares file times. It prints to stderr, because stdout
// belongs to the messages of clients.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

// Nobody should wonder whether the tests hang. Measured on two cores; README has the figure too.
if (process.env.npm_lifecycle_event === 'pretest') console.error('syswire: the tests take about 6 minutes');

/** Print why the start ends here and what to do, in one line, and exit. */
function fail(line) {
  console.error(`syswire: ${line}`);
  process.exit(1);
}

// src/syscalls/node-version.ts has the same rule for a service that is built already.
const { engines } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const oldest = engines.node.replace('>=', '');
const numbers = (version) => version.split('.').map(Number);
const [major, minor] = numbers(process.versions.node);
const [oldestMajor, oldestMinor] = numbers(oldest);
if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
  console.error(`syswire needs Node ${oldest} or later, and this is ${process.versions.node}: https://nodejs.org`);
  process.exit(2);
}

/** Return the newest modification time at or below a path, in ms; 0 if the path does not exist. */
function newest(name) {
  const at = path.join(root, name);
  const stats = statSync(at, { throwIfNoEntry: false });
  if (!stats) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(0, ...readdirSync(at).map((entry) => newest(path.join(name, entry))));
}

/** Exit if this user may not change the folders. npm would only say so if it were not silent. */
function checkWritable(...names) {
  for (const name of names) {
    const folder = path.join(root, name);
    if (!existsSync(folder)) continue;
    try {
      accessSync(folder, constants.W_OK);
    } catch (error) {
      fail(`the folder ${folder} cannot be written (${error.code}): start as its owner, or change its permissions`);
    }
  }
}

/** Run a command with its output on stderr. @returns why it failed, null if it did not */
function run(reason, command, args, shell = false) {
  console.error(`syswire: ${reason}: ${path.basename(command)} ${args.join(' ')}`);
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell });
  if (error) return `${command} cannot be started (${error.message})`;
  return status === 0 ? null : `${path.basename(command)} ended with ${signal ?? status} (its own error is above)`;
}

// npm writes .package-lock.json at the end of every install.
if (newest('node_modules/.package-lock.json') < newest('package-lock.json')) {
  checkWritable('.', 'node_modules');
  const failed = run(
    'installing',
    'npm',
    [
      'ci',
      // No package needs its install script, since koffi and esbuild ship their binaries.
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      // `npm start --silent` sets npm_config_loglevel=silent for everything below it, which hides npm's own error.
      '--loglevel=error',
      // npm's defaults wait for a registry that does not answer for more than a minute, or for many.
      '--fetch-retries=1',
      '--fetch-retry-mintimeout=1000',
      '--fetch-timeout=60000',
    ],
    // On Windows npm is npm.cmd, which only a shell can start.
    process.platform === 'win32',
  );
  if (failed)
    fail(`${failed}, so nothing is installed: check the network, and the address that npm config get registry prints`);
}

// `npm start` is `exec node …`: a shell that stays would keep SIGTERM from the service. Windows' shell has no `exec`, and
// no signals, so it gets a command of that name that only runs the rest. npm has this folder in PATH.
if (process.platform === 'win32') writeFileSync(path.join(root, 'node_modules/.bin/exec.cmd'), '@%*\r\n');

// The build writes .built last, so that a build that failed is repeated.
const sources = [
  'src',
  'native',
  'scripts/build.mjs',
  'scripts/third-party.mjs',
  'tsconfig.json',
  'package-lock.json',
].map(newest);
const isOutdated = newest('dist/.built') < Math.max(...sources);
const addon = `prebuilds/${process.platform}-${process.arch}/syswire.node`;
const hasAddon = process.platform === 'win32' || newest(addon) >= newest('native');

// Without the addon the service has the levels os and std, and says why the others are missing. The tests need it.
if (!hasAddon) {
  checkWritable('.', 'prebuilds');
  const failed = run('building the addon', process.execPath, ['native/build.mjs']);
  if (failed && process.env.npm_lifecycle_event === 'pretest') fail(`${failed}, and the tests need the addon`);
  const instead = newest(addon) > 0 ? 'with an older addon' : 'without the levels raw, int80 and uring';
  // The line above names the cause and the remedy.
  if (failed) console.error(`syswire: the start goes on ${instead}`);
}
if (isOutdated) {
  checkWritable('.', 'dist');
  const failed = run('building', process.execPath, ['scripts/build.mjs', '--without-addon']);
  if (failed) fail(`${failed}, so there is nothing to start`);
}

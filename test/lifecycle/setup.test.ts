// scripts/setup.mjs, which `npm start` runs first: a failure shows its cause and what to do, although npm is silent.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { builtAddon } from '../support/native.js';
import { ROOT, tempFolder } from '../support/service.js';
import { need } from '../support/tools.js';

const NPM = { command: 'npm', package: 'npm' };
/** An account that owns nothing. */
const NOBODY = 65_534;

const FILES = ['package.json', 'package-lock.json', '.npmrc', 'tsconfig.json', 'LICENSE'];

/** Copy what a clone has, without node_modules and what is built. */
function clone(t: TestContext): string {
  const folder = tempFolder(t);
  for (const name of [...FILES, 'scripts', 'native', 'src'])
    if (existsSync(path.join(ROOT, name)))
      cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true, preserveTimestamps: true });
  return folder;
}

function run(folder: string, command: string, args: string[], env: NodeJS.ProcessEnv = {}, uid?: number) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, npm_lifecycle_event: undefined, ...env },
    ...(uid !== undefined && { uid }),
  });
  return { status, stdout, stderr };
}

test('npm start --silent without a registry: npm’s own error, a line that says what to do, soon', (t) => {
  if (!need(t, NPM)) return;
  const folder = clone(t);
  const before = performance.now();
  const { status, stdout, stderr } = run(folder, 'npm', ['start', '--silent'], {
    npm_config_registry: 'http://127.0.0.1:9',
    npm_config_cache: path.join(folder, 'cache'),
  });
  assert.match(stderr, /npm error code ECONNREFUSED/);
  assert.match(
    stderr,
    /\nsyswire: npm ended with 1 \(its own error is above\), so nothing is installed: check the network/,
  );
  assert.deepEqual([status, stdout], [1, '']);
  assert.ok(performance.now() - before < 30_000, 'npm itself would retry for 71 s');
});

test('npm start --silent in a folder that cannot be written: one line, exit 1', (t) => {
  if (!need(t, NPM)) return;
  const folder = clone(t);
  chmodSync(folder, 0o555);
  const env = { HOME: folder, npm_config_cache: path.join(folder, 'cache') };
  const uid = process.getuid?.() === 0 ? NOBODY : undefined;
  const { status, stdout, stderr } = run(folder, process.execPath, ['scripts/setup.mjs'], env, uid);
  chmodSync(folder, 0o755);
  assert.equal(
    stderr,
    `syswire: the folder ${folder} cannot be written (EACCES): start as its owner, or change its permissions\n`,
  );
  assert.deepEqual([status, stdout], [1, '']);
});

test('a Node that is too old is refused in one line before anything else', (t) => {
  const folder = clone(t);
  const file = path.join(folder, 'package.json');
  const asked = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...asked, engines: { node: '>=99.1' } }));
  assert.deepEqual(run(folder, process.execPath, ['scripts/setup.mjs']), {
    status: 2,
    stdout: '',
    stderr: `syswire needs Node 99.1 or later, and this is ${process.versions.node}: https://nodejs.org\n`,
  });
});

const HERE = `${process.platform}-${process.arch}`;

test('an addon that cannot be built: a start goes on with os and std, and says so; the tests do not start', (t) => {
  if (process.platform === 'win32') return t.skip('Windows has no addon');
  const folder = clone(t);
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  // New, but not this machine's: the addon of another CPU, and one in the right folder under another name.
  for (const file of [
    `${process.platform}-mips/syswire.node`,
    `${HERE}/syswire.glibc.node`,
    `${HERE}/node.napi.node`,
  ]) {
    mkdirSync(path.join(folder, 'prebuilds', path.dirname(file)), { recursive: true });
    cpSync(builtAddon(), path.join(folder, 'prebuilds', file));
  }
  const setup = ['scripts/setup.mjs'];
  const tests = run(folder, process.execPath, setup, { CXX: '/bin/false', npm_lifecycle_event: 'pretest' });
  const reason = `/bin/false could not build the addon for ${HERE}`;
  assert.match(tests.stderr, new RegExp(`\nsyswire: the tests need the addon, and ${reason}\n$`));
  assert.equal(tests.status, 1);
  const { status, stdout, stderr } = run(folder, process.execPath, setup, { CXX: '/bin/false' });
  // The service says what is missing, and nothing else does.
  assert.deepEqual(stderr.split('\n'), [
    'syswire: building the addon: node native/build.mjs --quiet',
    'syswire: building: node scripts/build.mjs --without-addon',
    '',
  ]);
  assert.deepEqual([status, stdout], [0, '']);
  const call = (level: string) => run(folder, process.execPath, ['dist/cli/main.js', 'call', level, 'hello']);
  for (const level of ['os', 'std']) assert.deepEqual(call(level), { status: 0, stdout: 'hello', stderr: '' });
  const unavailable = "syswire: level 'raw' is not available here: ";
  assert.equal(call('raw').stderr, `${unavailable}${reason}; npm run build tries again\n`);
  // The next start tries only the addon again. Without a compiler, the service says how to get one.
  const next = run(folder, process.execPath, setup, { CXX: 'no-such-compiler' });
  assert.equal(next.stderr, 'syswire: building the addon: node native/build.mjs --quiet\n');
  const remedy =
    'install one (Debian: apt-get install g++; Fedora: dnf install gcc-c++; Alpine: apk add g++; macOS: xcode-select --install)';
  const missing = `there is no C++ compiler 'no-such-compiler' for ${HERE}: ${remedy}`;
  assert.equal(call('raw').stderr, `${unavailable}${missing}; npm run build tries again\n`);
  // npm shows the output of prepare, and starts no service.
  const prepared = run(folder, process.execPath, setup, { CXX: 'no-such-compiler', npm_lifecycle_event: 'prepare' });
  assert.ok(
    prepared.stderr.endsWith(`\nsyswire: without the levels raw, int80 and uring: ${missing}\n`),
    prepared.stderr,
  );
  // An addon that an older build made is used, and only setup knows that it is old.
  cpSync(builtAddon(), path.join(folder, 'prebuilds', HERE, 'syswire.node'));
  utimesSync(path.join(folder, 'prebuilds', HERE, 'syswire.node'), 1, 1);
  const older = run(folder, process.execPath, setup, { CXX: 'no-such-compiler' });
  assert.ok(older.stderr.endsWith(`\nsyswire: an older addon is used: ${missing}\n`), older.stderr);
  assert.deepEqual(call('raw'), { status: 0, stdout: 'hello', stderr: '' });
  rmSync(path.join(folder, 'prebuilds', HERE), { recursive: true });

  // An installed package has no sources of the build, so that advice would be wrong there.
  const installed = tempFolder(t);
  for (const name of ['dist', 'package.json'])
    cpSync(path.join(folder, name), path.join(installed, name), { recursive: true });
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(installed, 'node_modules'));
  const raw = run(installed, process.execPath, ['dist/cli/main.js', 'call', 'raw', 'hello']);
  assert.match(raw.stderr, /there is no native addon for \w+-\w+ \(.*\): use level os or std\n$/);
  assert.doesNotMatch(raw.stderr, /npm run/);
});

test('packages that build were left out: prepare says so, and a start installs them', (t) => {
  if (!need(t, NPM)) return;
  const folder = clone(t);
  // As npm ci --omit=dev leaves it.
  mkdirSync(path.join(folder, 'node_modules'));
  writeFileSync(path.join(folder, 'node_modules/.package-lock.json'), '{}');
  assert.deepEqual(run(folder, process.execPath, ['scripts/setup.mjs'], { npm_lifecycle_event: 'prepare' }), {
    status: 1,
    stdout: '',
    stderr:
      'syswire: npm left out the packages that build (--omit=dev or NODE_ENV=production): npm ci --include=dev installs them\n',
  });
  const { stderr } = run(folder, process.execPath, ['scripts/setup.mjs'], {
    NODE_ENV: 'production',
    npm_config_registry: 'http://127.0.0.1:9',
    npm_config_cache: path.join(folder, 'cache'),
  });
  assert.match(stderr, /^syswire: installing: npm ci --ignore-scripts --include=dev /);
  // A service that was built before needs none of them.
  mkdirSync(path.join(folder, 'dist'));
  writeFileSync(path.join(folder, 'dist/.built'), '');
  mkdirSync(path.join(folder, 'prebuilds', HERE), { recursive: true });
  writeFileSync(path.join(folder, 'prebuilds', HERE, 'syswire.node'), '');
  writeFileSync(path.join(folder, 'node_modules/.package-lock.json'), '{}');
  for (const npm_lifecycle_event of ['prepare', 'prestart'])
    assert.deepEqual(run(folder, process.execPath, ['scripts/setup.mjs'], { npm_lifecycle_event }), {
      status: 0,
      stdout: '',
      stderr: '',
    });
});

test('npm i -g git+…, after which npm would leave a link to a temporary folder, is refused in one line', (t) => {
  if (!need(t, NPM) || !need(t, { command: 'git', package: 'git' })) return;
  const folder = clone(t);
  // Not the whole project: what counts is how npm prepares it.
  const file = path.join(folder, 'package.json');
  const { devDependencies: _, optionalDependencies: __, ...manifest } = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify(manifest));
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: folder });
  git('init', '-q');
  git('add', 'package.json', 'scripts');
  git('commit', '-q', '-m', 'all');
  const prefix = tempFolder(t);
  const { status, stderr } = run(prefix, 'npm', ['i', '-g', '--prefix', prefix, `git+file://${folder}`], {
    npm_config_registry: 'http://127.0.0.1:9',
    npm_config_cache: path.join(prefix, 'cache'),
  });
  assert.notEqual(status, 0);
  assert.match(
    stderr,
    /syswire: npm i -g cannot install from a git address: clone it, and run npm i -g "\$\(npm pack /,
  );
  assert.equal(existsSync(path.join(prefix, 'bin/syswire')), false);
});

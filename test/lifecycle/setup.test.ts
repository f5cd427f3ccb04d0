// scripts/setup.mjs, which `npm start` runs first: a failure shows its cause and what to do, although npm is silent.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
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
  assert.match(tests.stderr, /\nsyswire: node ended with 1 .*, and the tests need the addon\n$/);
  assert.equal(tests.status, 1);
  const { status, stdout, stderr } = run(folder, process.execPath, setup, { CXX: '/bin/false' });
  assert.deepEqual(stderr.split('\n', 3), [
    'syswire: building the addon: node native/build.mjs',
    `native/build.mjs: /bin/false could not build the addon for ${HERE}`,
    'syswire: the start goes on without the levels raw, int80 and uring',
  ]);
  assert.deepEqual([status, stdout], [0, '']);
  const call = (level: string) => run(folder, process.execPath, ['dist/cli/main.js', 'call', level, 'hello']);
  for (const level of ['os', 'std']) assert.deepEqual(call(level), { status: 0, stdout: 'hello', stderr: '' });
  assert.match(call('raw').stderr, /there is no native addon for \w+-\w+ \(.*\): run npm run build, which says/);
  // The next start tries only the addon again. Without a compiler, one line says how to get one.
  const next = run(folder, process.execPath, setup, { CXX: 'no-such-compiler' });
  assert.doesNotMatch(next.stderr, /building: /);
  assert.deepEqual(next.stderr.match(/^.*(?:compiler|install).*$/gm), [
    `native/build.mjs: there is no C++ compiler 'no-such-compiler' for ${HERE}: install one (Debian: apt-get install g++; Fedora: dnf install gcc-c++; Alpine: apk add g++; macOS: xcode-select --install)`,
  ]);

  // An installed package has no sources of the build, so that advice would be wrong there.
  const installed = tempFolder(t);
  for (const name of ['dist', 'package.json'])
    cpSync(path.join(folder, name), path.join(installed, name), { recursive: true });
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(installed, 'node_modules'));
  const raw = run(installed, process.execPath, ['dist/cli/main.js', 'call', 'raw', 'hello']);
  assert.match(raw.stderr, /there is no native addon for \w+-\w+ \(.*\): use level os or std\n$/);
  assert.doesNotMatch(raw.stderr, /npm run/);
});

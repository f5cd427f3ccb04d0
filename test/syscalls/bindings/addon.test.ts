// The addon is the file of this machine in the package's own folder, whatever the environment and whatever lies beside.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { builtAddon, ELF } from '../../support/native.js';
import { ROOT, tempFolder } from '../../support/service.js';

const HERE = `${process.platform}-${process.arch}`;
const onLinux = { skip: ELF ? false : 'for Linux' };

/** Install the package, with the addon under the names that are given. */
function install(t: TestContext, ...addons: string[]): string {
  const folder = tempFolder(t);
  for (const name of ['dist', 'package.json'])
    cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  for (const addon of addons) {
    mkdirSync(path.join(folder, path.dirname(addon)), { recursive: true });
    cpSync(builtAddon(), path.join(folder, addon));
  }
  return folder;
}

function callRaw(folder: string, env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli/main.js', 'call', 'raw', 'hello'], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

test('no variable of the environment changes which addon is loaded', onLinux, (t) => {
  const folder = install(t, `prebuilds/${HERE}/syswire.node`);
  // node-gyp-build, which many packages use, obeys each of these.
  const variables = {
    LIBC: 'musl',
    npm_config_arch: 'mips',
    npm_config_platform: 'darwin',
    npm_config_libc: 'musl',
    PREBUILDS_ONLY: '1',
    ARM_VERSION: '6',
    SYSWIRE_PREBUILD: tempFolder(t),
  };
  for (const [name, value] of [...Object.entries(variables), ['', ''] as const]) {
    const env = name === '' ? variables : { [name]: value };
    assert.deepEqual(callRaw(folder, env), { status: 0, stdout: 'hello', stderr: '' }, name || 'all of them');
  }
});

test('an addon of another machine, and one in another place, is never loaded', onLinux, (t) => {
  const folder = install(
    t,
    `prebuilds/${process.platform}-mips/syswire.node`,
    `prebuilds/${HERE}/syswire.glibc.node`,
    `prebuilds/${HERE}/node.napi.node`,
    'build/Release/syswire.node',
    'build/Debug/syswire.node',
  );
  const file = path.join(folder, 'prebuilds', HERE, 'syswire.node');
  assert.deepEqual(callRaw(folder), {
    status: 2,
    stdout: '',
    stderr: `syswire: level 'raw' is not available here: there is no native addon for ${HERE} (${file}): use level os or std\n`,
  });
});

test('a file that is no addon of this machine: the loader’s own reason, and the other levels work', onLinux, (t) => {
  const folder = install(t);
  const file = path.join(folder, 'prebuilds', HERE, 'syswire.node');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, 'not an ELF file');
  const { status, stderr } = callRaw(folder);
  assert.equal(status, 2);
  assert.match(stderr, /: the native addon could not be loaded \(.*syswire\.node: .+\): use level os or std\n$/);
  const std = spawnSync(process.execPath, ['dist/cli/main.js', 'call', 'std', 'hello'], { cwd: folder });
  assert.equal(std.stdout.toString(), 'hello');
});

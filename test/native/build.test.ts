// native/build.mjs: which compiler builds which target, and what it says when there is none.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { ELF } from '../support/native.js';
import { ROOT, tempFolder } from '../support/service.js';

const HERE = `${process.platform}-${process.arch}`;
const FOREIGN = HERE === 'linux-arm64' ? 'linux-x64' : 'linux-arm64';
const VARIABLE = `CXX_${FOREIGN.replace('-', '_')}`;
const onLinux = { skip: ELF ? false : 'for Linux' };

/** Write a compiler that only notes its arguments. @returns its path, and a function that returns the arguments */
function compiler(t: TestContext): { command: string; asked: () => string[] | null } {
  const folder = tempFolder(t);
  const command = path.join(folder, 'compiler');
  const log = path.join(folder, 'log');
  writeFileSync(command, `#!/bin/sh\nprintf '%s\\n' "$@" >${log}\n`);
  chmodSync(command, 0o755);
  return { command, asked: () => (existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : null) };
}

function build(t: TestContext, target: string, env: NodeJS.ProcessEnv) {
  const args = [path.join(ROOT, 'native/build.mjs'), '--out', tempFolder(t), target];
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  return { status, stderr };
}

test('CXX may have arguments, and CXXFLAGS come last, so that they win', onLinux, (t) => {
  const { command, asked } = compiler(t);
  const env = { ...process.env, CXX: ` ${command}  first  second `, CXXFLAGS: '-O0 -g' };
  assert.deepEqual(build(t, HERE, env), { status: 0, stderr: '' });
  const args = asked() ?? [];
  assert.deepEqual(args.slice(0, 2), ['first', 'second']);
  assert.ok(args.indexOf('-O0') > args.indexOf('-O2') && args.includes('-g'));
});

test('CXX and CXXFLAGS are for this machine’s own target: another target has its own', onLinux, (t) => {
  const own = compiler(t);
  const other = compiler(t);
  const plain = { ...process.env, CXX: own.command, CXXFLAGS: '-own' };
  const env = { ...plain, [VARIABLE]: `${other.command} first`, [VARIABLE.replace('CXX', 'CXXFLAGS')]: '-other' };
  assert.deepEqual(build(t, FOREIGN, env), { status: 0, stderr: '' });
  assert.equal(own.asked(), null);
  assert.deepEqual([other.asked()?.at(0), other.asked()?.includes('-own')], ['first', false]);
  assert.ok(other.asked()?.includes('-other'));
  // Without a compiler of its own on PATH, the target is not built: never with CXX.
  assert.equal(build(t, FOREIGN, { ...plain, PATH: tempFolder(t) }).status, 1);
  assert.equal(own.asked(), null);
});

test('a compiler that is missing: one line with the remedy', onLinux, (t) => {
  const empty = { ...process.env, CXX: '', [VARIABLE]: '', PATH: tempFolder(t) };
  const lines: [target: string, line: string][] = [
    [
      HERE,
      `there is no C++ compiler 'c++' for ${HERE}: install one (Debian: apt-get install g++; Fedora: dnf install gcc-c++; Alpine: apk add g++; macOS: xcode-select --install)`,
    ],
    [
      'darwin-arm64',
      "there is no C++ compiler 'clang++' for darwin-arm64: apt-get install clang lld, or name one with CXX_darwin_arm64",
    ],
    ['plan9-x64', 'no target plan9-x64; there are linux-x64, linux-arm64, darwin-x64, darwin-arm64'],
  ];
  if (FOREIGN === 'linux-arm64')
    lines.push([
      FOREIGN,
      "there is no C++ compiler 'aarch64-linux-gnu-g++' for linux-arm64: apt-get install g++-aarch64-linux-gnu, or name one with CXX_linux_arm64",
    ]);
  for (const [target, line] of lines)
    assert.deepEqual(build(t, target, empty), { status: 1, stderr: `native/build.mjs: ${line}\n` });
  // A compiler that is there, but without the headers that it takes for macOS.
  const { command } = compiler(t);
  assert.deepEqual(build(t, 'darwin-arm64', { ...process.env, CXX_darwin_arm64: command }), {
    status: 1,
    stderr: `native/build.mjs: ${command} finds no C++ headers for aarch64: apt-get install g++-aarch64-linux-gnu\n`,
  });
});

// npm run prebuilds: the addons that the package ships. GNU's tools, the C libraries and Node itself confirm what
// scripts/check-addon.ts found with LLVM's, and each of its checks is seen to fail.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { problemsOf } from '../../scripts/check-addon.js';
import { RAW } from '../../src/syscalls/levels/raw.js';
import { type Addon, BINUTILS, buildAddon, CLANG, require, run } from '../support/native.js';
import { ROOT, tempFolder } from '../support/service.js';
import { need, type Tool } from '../support/tools.js';

const TOOLS: Tool[] = [
  { command: 'g++', package: 'g++' },
  { command: 'aarch64-linux-gnu-g++', package: 'g++-aarch64-linux-gnu' },
  CLANG,
  { command: 'lld', package: 'lld' },
  { command: 'llvm-strip', package: 'llvm' },
  ...BINUTILS,
];
const TARGETS = Object.keys(RAW);
const onX64 = { skip: process.platform === 'linux' && process.arch === 'x64' ? false : 'for linux-x64' };

function prebuild(folder: string, root = ROOT): string {
  const args = ['--import', 'tsx', path.join(root, 'scripts/prebuilds.ts'), '--out', folder];
  return run(process.execPath, args, { cwd: root, env: { CXX: 'g++', CXXFLAGS: '' } });
}
const fileOf = (folder: string, target: string): string => path.join(folder, target, 'syswire.node');

/** Returns the names that nm prints, with the versions that they need. */
const namesIn = (file: string, kind: 'undefined' | 'defined'): string[] =>
  run('nm', ['-D', `--${kind}-only`, '--with-symbol-versions', file]).match(/\S+$/gm) ?? [];
/** Returns the names that a library gives to others, without their versions. */
const givenBy = (file: string): Set<string> => new Set(namesIn(file, 'defined').map((name) => name.replace(/@.*/, '')));

test('the shipped addons: no library, known symbols, no symbol table, the same bytes in another folder', onX64, (t) => {
  if (!need(t, ...TOOLS)) return;
  const folder = tempFolder(t);
  const table = prebuild(folder);
  assert.deepEqual(readdirSync(folder).sort(), [...TARGETS].sort());
  for (const target of [...TARGETS, 'all']) assert.match(table, new RegExp(`^${target} +\\d+ +\\d+$`, 'm'));

  // Node gives Node-API, as loading one shows below; each C library must give the rest.
  const libcs: [target: string, libc: string][] = [
    ['linux-x64', '/lib/x86_64-linux-gnu/libc.so.6'],
    ['linux-x64', '/usr/lib/x86_64-linux-musl/libc.so'],
    ['linux-arm64', '/usr/aarch64-linux-gnu/lib/libc.so.6'],
    // The names that musl gives do not depend on the CPU.
    ['linux-arm64', '/usr/lib/x86_64-linux-musl/libc.so'],
  ];
  for (const [target, libc] of libcs) {
    if (!existsSync(libc) && !need(t, { command: libc, package: 'musl-tools' })) return;
    const given = givenBy(libc);
    const asked = namesIn(fileOf(folder, target), 'undefined');
    assert.ok(asked.includes('napi_create_function') && asked.includes('sigaction'));
    for (const name of asked) assert.ok(name.startsWith('napi_') || given.has(name), `${libc} has no ${name}`);
  }
  for (const target of TARGETS.filter((name) => name.startsWith('linux'))) {
    const file = fileOf(folder, target);
    assert.deepEqual(namesIn(file, 'defined'), ['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
    assert.doesNotMatch(run('readelf', ['-dW', file]), /NEEDED|RPATH|RUNPATH/);
    assert.match(run('readelf', ['-VW', file]), /No version information found/);
    assert.doesNotMatch(run('readelf', ['-SW', file]), /\.symtab|\.debug|build-id/);
  }
  const pages = run('readelf', ['-lW', fileOf(folder, 'linux-arm64')]).match(/LOAD .* 0x\w+$/gm);
  assert.ok(pages?.every((line) => line.endsWith(' 0x10000')));

  // It is the addon: the process writes by it.
  const { write } = require(fileOf(folder, 'linux-x64')) as Addon;
  const out = path.join(folder, 'out');
  const fd = openSync(out, 'w');
  assert.equal(write(fd, Buffer.from('shipped')), 7);
  closeSync(fd);
  assert.equal(readFileSync(out, 'utf8'), 'shipped');

  // No path, time or identity is in it.
  const copy = tempFolder(t);
  for (const name of ['native', 'scripts', 'src', 'package.json', 'tsconfig.json'])
    cpSync(path.join(ROOT, name), path.join(copy, name), { recursive: true });
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'));
  const again = tempFolder(t);
  prebuild(again, copy);
  for (const target of TARGETS)
    assert.ok(readFileSync(fileOf(folder, target)).equals(readFileSync(fileOf(again, target))), target);
});

test('macOS: lld’s signature has the hash of every page', (t) => {
  if (!need(t, ...TOOLS)) return;
  const bytes = readFileSync(buildAddon(tempFolder(t), 'darwin-arm64'));
  // https://github.com/apple-oss-distributions/xnu/blob/main/osfmk/kern/cs_blobs.h: a super blob with one code directory
  const at = bytes.indexOf(Buffer.from('fade0cc0', 'hex'));
  assert.ok(at > 0, 'a super blob');
  const directory = at + bytes.readUInt32BE(at + 16);
  assert.equal(bytes.readUInt32BE(directory), 0xfade0c02);
  const field = (offset: number): number => bytes.readUInt32BE(directory + offset);
  const AD_HOC = 2;
  assert.equal(field(12) & AD_HOC, AD_HOC);
  const [hashes, slots, limit] = [directory + field(16), field(28), field(32)];
  const [hashSize, hashType, , pageBits = 0] = bytes.subarray(directory + 36, directory + 40);
  const SHA256 = 2;
  assert.deepEqual([hashSize, hashType], [32, SHA256]);
  const page = 2 ** pageBits;
  assert.equal(slots, Math.ceil(limit / page));
  assert.ok(limit <= at && limit > at - 64, 'it covers all that is before it');
  for (let slot = 0; slot < slots; slot++)
    assert.deepEqual(
      bytes.subarray(hashes + 32 * slot, hashes + 32 * (slot + 1)),
      createHash('sha256')
        .update(bytes.subarray(page * slot, Math.min(limit, page * (slot + 1))))
        .digest(),
    );
});

/** Builds an addon that must not be shipped. @returns what is wrong with it */
function broken(t: TestContext, target: string, flags: string): string[] {
  const variable = `CXXFLAGS_${target.replace('-', '_')}`;
  return problemsOf(target, buildAddon(tempFolder(t), target, { CXX: 'g++', [variable]: flags }));
}

test('an addon that must not be shipped is refused, with the reason', onX64, (t) => {
  if (!need(t, ...TOOLS)) return;
  const cases: [target: string, flags: string, problem: RegExp][] = [
    ['linux-x64', '-Wl,--no-as-needed -lstdc++', /^it needs the library libstdc\+\+\.so\.6$/],
    ['linux-x64', '-Wl,--no-as-needed -lc', /^it needs a version of a symbol: sigaction@GLIBC_2\.2\.5/],
    ['linux-x64', '-Wl,-z,execstack', /^its stack is executable$/],
    ['linux-x64', '-Wl,-z,norelro', /^its table of functions stays writable$/],
    ['linux-x64', '-Wl,-z,lazy', /^its symbols are not all bound when it is loaded$/],
    ['linux-x64', '-Wl,-rpath,/tmp', /^it has an entry RUNPATH$/],
    ['linux-x64', '-Os', /^it needs the symbol _ZNSt7__cxx1112basic_string/],
    ['linux-x64', '-fstack-protector-all', /^it needs the symbol __stack_chk_fail$/],
    ['linux-arm64', '-Wl,-z,max-page-size=4096', /^a segment is aligned to 0x1000 instead of 0x10000$/],
    ['darwin-arm64', '-Wl,-no_adhoc_codesign', /^it is not signed$/],
    ['darwin-x64', '-fstack-protector-all', /^it needs the symbol ___stack_chk_fail \(dynamically looked up\)$/],
    ['darwin-x64', '-fvisibility=default -Wl,-exported_symbol,__Z8raw_codev', /^it exports __Z8raw_codev, _napi/],
  ];
  for (const [target, flags, problem] of cases) {
    const problems = broken(t, target, flags);
    assert.ok(
      problems.some((each) => problem.test(each)),
      `${target} ${flags}: ${problems.join('; ') || 'no problem'}`,
    );
  }

  const bundle = buildAddon(tempFolder(t), 'darwin-x64');
  assert.deepEqual(problemsOf('darwin-x64', bundle), []);
  const header = readFileSync(bundle);
  const [MH_BUNDLE, MH_EXECUTE, type] = [8, 2, 12];
  assert.equal(header[type], MH_BUNDLE);
  header[type] = MH_EXECUTE;
  header.write('/usr/lib/libc++.1.dylib\0', header.indexOf('/usr/lib/libSystem'));
  writeFileSync(bundle, header);
  const [library, kind] = problemsOf('darwin-x64', bundle);
  assert.equal(library, 'it loads /usr/lib/libc++.1.dylib instead of /usr/lib/libSystem.B.dylib');
  assert.equal(kind, 'it is not a bundle');

  const file = buildAddon(tempFolder(t), 'linux-x64', { CXX: 'g++' });
  assert.deepEqual(problemsOf('linux-x64', file), []);
  const bytes = readFileSync(file);
  const code = bytes.indexOf(Buffer.from('b8010000000f05', 'hex'));
  bytes[code + 1] = 2;
  writeFileSync(file, bytes);
  assert.deepEqual(problemsOf('linux-x64', file), ['it does not contain the code of raw: b8010000000f05']);
  writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from('b804000000cd80', 'hex')]));
  assert.ok(problemsOf('linux-x64', file).includes('it contains the code of int80 twice'));
});

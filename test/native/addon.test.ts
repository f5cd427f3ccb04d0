// Tests the addon's file on this machine: it has the right instructions, and they change only the documented registers.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  type Addon,
  ARCH,
  BINUTILS,
  buildAddon,
  builtAddon,
  CLANG,
  checkElf,
  checkRegisters,
  codeInElf,
  conventionOf,
  instructions,
  numbers,
  PROGRAMS,
  require,
  run,
} from '../support/native.js';
import { tempFolder } from '../support/service.js';
import { need } from '../support/tools.js';

const GXX = { command: 'g++', package: 'g++' };

const here = `${process.platform}-${process.arch}`;
const onLinux = { skip: here === 'linux-x64' ? false : 'for linux-x64' };
const addon = (): Addon => require(builtAddon()) as Addon;

test('the addon contains each level’s instruction once, and imports no function that writes', onLinux, async (t) => {
  if (!need(t, GXX, CLANG, ...BINUTILS)) return;
  const convention = await conventionOf('linux', 'x64');
  const project = tempFolder(t);
  for (const compiler of [GXX.command, CLANG.command]) {
    const file = buildAddon(path.join(project, compiler), here, { CXX: compiler });
    checkElf('nm', file);
    const built = require(file) as Addon;
    for (const [level, { code: read }, { number, instruction }] of [
      ['raw', built, convention],
      ['int80', built.int80, { number: 4, instruction: 'int $128' }],
      ['uring', built.uring, { number: 426, instruction: 'syscall' }],
    ] as const) {
      const code = Buffer.from(read());
      assert.deepEqual(codeInElf('nm', file, level), code, 'code() returns the bytes in the file');
      const copy = path.join(project, 'code.bin');
      writeFileSync(copy, code);
      assert.deepEqual(
        instructions(run('objdump', ['-D', '-b', 'binary', '-m', 'i386:x86-64', '--no-show-raw-insn', copy])),
        [`mov $${number},%eax`, instruction],
      );
    }
  }
});

test('raw: the kernel changes only the documented registers', onLinux, async (t) => {
  if (!need(t, GXX)) return;
  const folder = tempFolder(t);
  writeFileSync(path.join(folder, 'code.bin'), addon().code());
  const probe = path.join(folder, 'registers');
  run('g++', [
    '-O2',
    '-Wall',
    '-Wextra',
    '-Werror',
    `-Wa,-I,${folder}`,
    '-o',
    probe,
    path.join(PROGRAMS, 'registers.cc'),
  ]);
  const calls = checkRegisters(await conventionOf('linux', 'x64'), (args) => run(probe, args));
  for (const { before, after, end } of calls) {
    assert.equal(after.get('rcx'), end, 'rcx is the return address');
    assert.equal(after.get('r11'), before.get('flags'), 'r11 is the saved flags');
  }
});

test('raw: the compiler keeps no value in a register that the call overwrites', onLinux, (t) => {
  if (!need(t, GXX, CLANG)) return;
  const program = path.join(tempFolder(t), 'neighbours');
  const source = `-DARCH="${path.join(ARCH, 'linux-x64.cc')}"`;
  for (const compiler of [GXX.command, CLANG.command])
    for (const level of ['-O0', '-O2', '-O3']) {
      const flags = ['-std=c++17', level, '-fomit-frame-pointer', '-Wall', '-Wextra', '-Werror', source];
      run(compiler, [...flags, '-o', program, path.join(PROGRAMS, 'neighbours.cc')]);
      assert.equal(run(program, ['1000']), numbers(1000), `${compiler} ${level}`);
    }
});

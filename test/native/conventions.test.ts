// Each file in native/arch/ states its calling convention in a comment and in an asm statement, and
// src/syscalls/levels/raw.ts states it a third time, for users. These tests compare the three. The other tests in this
// folder compare them with the machine.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { type Addon, ARCH, buildAddon, conventionOf, ELF, plain, require } from '../support/native.js';
import { tempFolder } from '../support/service.js';
import { need } from '../support/tools.js';

const TARGETS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'];

/** Returns the table in the comment at the head of a file: `//   name   value`. */
function commentOf(source: string): Map<string, string> {
  const lines = source.matchAll(/^\/\/ {3}(\w+) +(.+)$/gm);
  return new Map(Array.from(lines, ([, name = '', value = '']) => [name, value]));
}

// https://gcc.gnu.org/onlinedocs/gcc/Machine-Constraints.html, x86 family
const BY_LETTER: Record<string, string> = { a: 'rax', d: 'rdx', D: 'rdi', S: 'rsi' };

type Operands = { outputs: string[]; inputs: string[]; clobbers: string[] };

/** Returns the registers in the operands of a file's only asm statement. */
function operandsOf(source: string): Operands {
  const variables = new Map(
    Array.from(source.matchAll(/^ *register .*?(\w+) __asm__\("(\w+)"\)/gm), ([, variable, name]) => [variable, name]),
  );
  const [statement, ...others] = source.matchAll(/__asm__ volatile\((.*?)\);\n/gs);
  assert.ok(statement && others.length === 0, 'one asm statement');
  const operands = /(?:"[^"]*"\s*)+:(.*):(.*):(.*)$/s.exec(statement[1] ?? '');
  const [outputs = '', inputs = '', clobbers = ''] = operands?.slice(1) ?? [];
  const registers = (text: string): string[] =>
    Array.from(text.matchAll(/"([^"]*)"\(([^()]*(?:\([^()]*\))?)\)/g), ([, constraint = '', value = '']) => {
      const name = variables.get(value) ?? BY_LETTER[constraint.replace(/[=+&]/g, '')];
      assert.ok(name, `"${constraint}"(${value}) names a register`);
      // "+": the register is both an input and an output.
      return constraint.startsWith('+') ? `+${name}` : name;
    });
  return {
    outputs: registers(outputs),
    inputs: registers(inputs),
    clobbers: Array.from(clobbers.matchAll(/"(\w+)"/g), ([, name = '']) => (name === 'cc' ? 'flags' : name)),
  };
}

for (const target of TARGETS)
  test(`${target}: the comment, the asm statement and the table in raw.ts agree`, async () => {
    const [platform = '', arch = ''] = target.split('-');
    const convention = await conventionOf(platform, arch);
    const { number, arguments: names, result, clobbered, error } = convention.registers;
    const source = readFileSync(path.join(ARCH, `${target}.cc`), 'utf8');

    const comment = commentOf(source);
    assert.deepEqual([...comment.keys()], ['number', 'arguments', 'enter', 'result', 'clobbered']);
    const [, register, value] = /^(\w+) = (\w+)/.exec(comment.get('number') ?? '') ?? [];
    assert.deepEqual([register, Number(value)], [number, convention.number]);
    assert.equal(comment.get('arguments'), `${names[0]} = fd, ${names[1]} = bytes, ${names[2]} = count`);
    assert.equal(comment.get('enter'), convention.instruction);
    assert.ok(comment.get('result')?.startsWith(`${result} = bytes written`));
    const byCarry = platform === 'darwin';
    assert.equal(/errno, carry flag set$/.test(comment.get('result') ?? ''), byCarry);
    assert.equal(
      error,
      byCarry ? `the carry flag is set, and ${result} is errno` : `a value from -4095 to -1 in ${result} is -errno`,
    );
    const bare = comment
      .get('clobbered')
      ?.replace(/;.*/, '')
      .replace(/ \([^)]*\)/g, '');
    assert.deepEqual(bare?.split(', '), clobbered);

    const operands = operandsOf(source);
    const bareName = (name: string): string => name.replace('+', '');
    const inputs = [...operands.outputs.filter((name) => name.startsWith('+')), ...operands.inputs].map(bareName);
    assert.deepEqual(inputs.sort(), [...names].sort());
    // A register that changes is an output or a clobber. The number's register is one too: the statement loads it.
    const changes = [...operands.outputs.map(bareName), ...operands.clobbers];
    assert.ok(operands.outputs.map(bareName).includes(result));
    assert.ok(changes.includes(number));
    assert.deepEqual(changes.filter((name) => name !== result && name !== number).sort(), [...clobbered].sort());
    assert.ok(plain(source).includes(plain(convention.instruction)));
  });

test('the addon builds on a platform without assembly, and every write fails with ENOSYS', { skip: !ELF }, (t) => {
  if (!need(t, { command: 'c++', package: 'g++' })) return;
  const pretendRiscv64 = 'Object.defineProperty(process, "arch", { value: "riscv64" })';
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(pretendRiscv64)}`;
  const addon = require(buildAddon(tempFolder(t), `${process.platform}-riscv64`, { NODE_OPTIONS })) as Addon;
  assert.equal(addon.write(2, Buffer.from('nothing of this may be seen')), -constants.errno.ENOSYS);
  assert.equal(addon.code().length, 0);
  const { ENOSYS } = constants.errno;
  assert.deepEqual(addon.int80.probe(), { call: 'int80', result: -ENOSYS, signal: 0 });
  assert.deepEqual(addon.uring.probe(), { call: 'io_uring_setup', result: -ENOSYS });
  for (const { write, code } of [addon.int80, addon.uring]) {
    assert.equal(write(2, Buffer.from('nothing of this may be seen')), -ENOSYS);
    assert.equal(code().length, 0);
  }
});

// Level `raw` on this machine: what lies in the addon's file, what it does to the registers, and what it does with
// values that JavaScript may hand to it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { tempFolder } from '../service.js';
import { need } from '../tools.js';
import {
  type Addon,
  ARCH,
  BINUTILS,
  builtAddon,
  CLANG,
  checkElf,
  checkRegisters,
  codeInElf,
  conventionOf,
  copyNative,
  HERE,
  instructions,
  numbers,
  require,
  run,
} from './native.js';

const GXX = { command: 'g++', package: 'g++' };
const EBADF = -9;

const here = `${process.platform}-${process.arch}`;
const onAny = { skip: process.platform === 'win32' ? 'Windows has no level raw' : false };
const onLinux = { skip: here === 'linux-x64' ? false : 'for linux-x64' };
const addon = (): Addon => require(builtAddon()) as Addon;

/** A file to write to, and what arrived there. */
function output(t: TestContext): { fd: number; text: () => string } {
  const file = path.join(tempFolder(t), 'out');
  const fd = openSync(file, 'w');
  t.after(() => closeSync(fd));
  return { fd, text: () => readFileSync(file, 'latin1') };
}

test('the file holds the instruction once, and no other way to write', onLinux, async (t) => {
  if (!need(t, CLANG, ...BINUTILS)) return;
  const convention = await conventionOf('linux', 'x64');
  const project = copyNative(t);
  run(process.execPath, ['native/build.mjs'], { cwd: project, env: { CXX: 'clang++' } });
  for (const file of [builtAddon(), path.join(project, 'prebuilds/linux-x64/syswire.glibc.node')]) {
    checkElf('nm', file);
    const built = require(file) as Addon;
    for (const [level, { code: read }, { number, instruction }] of [
      ['raw', built, convention],
      ['int80', built.int80, { number: 4, instruction: 'int $128' }],
      ['uring', built.uring, { number: 426, instruction: 'syscall' }],
    ] as const) {
      const code = Buffer.from(read());
      assert.deepEqual(codeInElf('nm', file, level), code, 'what code() tells is what lies in the file');
      const copy = path.join(project, 'code.bin');
      writeFileSync(copy, code);
      assert.deepEqual(
        instructions(run('objdump', ['-D', '-b', 'binary', '-m', 'i386:x86-64', '--no-show-raw-insn', copy])),
        [`mov $${number},%eax`, instruction],
      );
    }
  }
});

test('of the registers the kernel changes those that are told, no other', onLinux, async (t) => {
  if (!need(t, GXX)) return;
  const folder = tempFolder(t);
  writeFileSync(path.join(folder, 'code.bin'), addon().code());
  const probe = path.join(folder, 'registers');
  run('g++', ['-O2', '-Wall', '-Wextra', '-Werror', `-Wa,-I,${folder}`, '-o', probe, path.join(HERE, 'registers.cc')]);
  const calls = checkRegisters(await conventionOf('linux', 'x64'), (args) => run(probe, args));
  for (const { before, after, end } of calls) {
    assert.equal(after.get('rcx'), end, 'rcx is the return address');
    assert.equal(after.get('r11'), before.get('flags'), 'r11 is the saved flags');
  }
});

test('the values around a call survive it', onLinux, (t) => {
  if (!need(t, GXX, CLANG)) return;
  const program = path.join(tempFolder(t), 'neighbours');
  const source = `-DARCH="${path.join(ARCH, 'linux-x64.cc')}"`;
  for (const compiler of [GXX.command, CLANG.command])
    for (const level of ['-O0', '-O2', '-O3']) {
      const flags = ['-std=c++17', level, '-fomit-frame-pointer', '-Wall', '-Wextra', '-Werror', source];
      run(compiler, [...flags, '-o', program, path.join(HERE, 'neighbours.cc')]);
      assert.equal(run(program, ['1000']), numbers(1000), `${compiler} ${level}`);
    }
});

test('a view writes its own bytes, wherever its memory comes from', onAny, (t) => {
  const { fd, text } = output(t);
  const { write } = addon();
  const letters = Buffer.from('abcdefghij');
  const shared = new Uint8Array(new SharedArrayBuffer(8), 2, 4);
  shared.set(letters.subarray(0, 4));
  const resizable = new ArrayBuffer(2, { maxByteLength: 1 << 20 });
  const tracking = new Uint8Array(resizable);
  resizable.resize(1 << 20);
  tracking.fill(0x7a);
  const large = new Uint8Array(1 << 20).fill(0x79);
  const views = [letters, letters.subarray(3, 7), new Uint8Array([0, 255, 128]), shared, tracking, large];
  for (const view of views) assert.equal(write(fd, view), view.length);
  assert.ok(text() === Buffer.concat(views).toString('latin1'));
});

test('an empty view is a call like any other: its result is the kernel’s', onAny, (t) => {
  const { fd, text } = output(t);
  const { write } = addon();
  const detached = new ArrayBuffer(16);
  const views = { detached: new Uint8Array(detached, 4), empty: new Uint8Array(0), end: Buffer.from('x').subarray(1) };
  structuredClone(detached, { transfer: [detached] });
  const shrunk = new ArrayBuffer(16, { maxByteLength: 16 });
  const outside = new Uint8Array(shrunk, 8, 8).fill(0x78);
  shrunk.resize(4);
  const reading = openSync('/dev/null', 'r');
  t.after(() => closeSync(reading));
  for (const [name, view] of Object.entries({ ...views, outside })) {
    const results = [fd, reading, -1, 2 ** 31 - 1, -(2 ** 31)].map((descriptor) => write(descriptor, view));
    assert.deepEqual(results, [0, EBADF, EBADF, EBADF, EBADF], name);
  }
  assert.equal(text(), '');
});

// As source text, for the child below.
const NO_DESCRIPTOR = [
  ...['', 'undefined', 'null', 'true', '1n', '"1"', '[1]', '{ valueOf: () => 1 }', 'Symbol()', 'NaN', '0.5', '1.5'],
  ...['Infinity', '-Infinity', '2 ** 31', '-(2 ** 31) - 1', '2 ** 32', '2 ** 32 + 1', '2 ** 53'],
];
const NO_BYTES = [
  ...['', 'undefined', 'null', '65', '"text"', '[65]', '{ length: 1 }', 'new Proxy(new Uint8Array(4), {})'],
  ...['new Uint16Array(4)', 'new Int8Array(4)', 'new Uint8ClampedArray(4)', 'new DataView(new ArrayBuffer(4))'],
  ...['new ArrayBuffer(4)', 'new SharedArrayBuffer(4)'],
];

test('a wrong argument is a TypeError, and nothing is written anywhere', onAny, (t) => {
  const calls = [
    ...NO_DESCRIPTOR.map((fd) => (fd === '' ? 'write()' : `write(${fd}, Buffer.from('wrong'))`)),
    ...NO_BYTES.map((bytes) => `write(1, ${bytes})`),
  ];
  const script = `
    const { write } = require(${JSON.stringify(builtAddon())});
    const calls = ${JSON.stringify(calls)};
    const outcome = (call) => { try { return String(eval(call)); } catch (error) { return error.name; } };
    console.error(JSON.stringify(calls.map((call) => [call, outcome(call)])));`;
  // Whatever a wrong value became, 0 or 1 most likely, it would be seen: both are files.
  const files = ['0', '1'].map((name) => path.join(tempFolder(t), name));
  const fds = files.map((file) => openSync(file, 'w+'));
  const child = spawnSync(process.execPath, ['-e', script], { stdio: [...fds, 'pipe'], encoding: 'utf8' });
  fds.forEach(closeSync);
  assert.deepEqual(
    JSON.parse(child.stderr),
    calls.map((call) => [call, 'TypeError']),
  );
  assert.deepEqual(
    files.map((file) => statSync(file).size),
    [0, 0],
  );
});

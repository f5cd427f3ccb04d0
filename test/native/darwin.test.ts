// Tests the assembly for macOS without a Mac. LLVM compiles and links it, which does not need Apple's SDK. An emulated
// CPU then runs it, and darwin.py imitates the part of XNU that a write needs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  ARCH,
  addresses,
  buildAddon,
  CLANG,
  type Convention,
  conventionOf,
  instructions,
  PROGRAMS,
  plain,
  run,
} from '../support/native.js';
import { ROOT, tempFolder } from '../support/service.js';
import { need, type Tool } from '../support/tools.js';

type Cpu = 'x64' | 'arm64';

const NM = 'llvm-nm';
const OBJDUMP = 'llvm-objdump';
const TOOLS: Tool[] = [
  CLANG,
  { command: 'lld', package: 'lld' },
  { command: NM, package: 'llvm' },
  { command: OBJDUMP, package: 'llvm' },
];

/** Finds a Python that has the emulator's module: the first one on PATH, or Debian's. */
function unicorn(t: TestContext): string | undefined {
  for (const python of ['python3', '/usr/bin/python3'])
    try {
      execFileSync(python, ['-c', 'import unicorn'], { stdio: 'ignore' });
      return python;
    } catch {}
  need(t, { command: 'the Python module unicorn', package: 'python3-unicorn' });
  return undefined;
}

const APPLE: Record<Cpu, string> = { x64: 'x86_64', arm64: 'arm64' };

/** Compiles a file with the flags of native/build.mjs, but without the headers of macOS. */
function compile(cpu: Cpu, source: string, object: string, ...flags: string[]): string {
  const target = ['-target', `${APPLE[cpu]}-apple-macos11`, '-ffreestanding', '-nostdinc++'];
  const build = ['-std=c++17', '-fPIC', '-fvisibility=hidden', '-fno-exceptions', '-fno-rtti'];
  const warnings = ['-Wall', '-Wextra', '-Werror'];
  const include = ['-I', path.join(ROOT, 'native')];
  run(CLANG.command, [...target, ...build, ...warnings, ...include, '-O2', ...flags, '-c', '-o', object, source]);
  return object;
}

/** Links with the flags of native/build.mjs, and with -dead_strip, which removes code that nothing refers to. */
function link(cpu: Cpu, bundle: string, ...objects: string[]): string {
  const version = ['-platform_version', 'macos', '11.0', '11.0'];
  const kind = ['-bundle', '-undefined', 'dynamic_lookup', '-dead_strip'];
  run('lld', ['-flavor', 'darwin', '-arch', APPLE[cpu], ...version, ...kind, '-o', bundle, ...objects]);
  return bundle;
}

/** Builds a bundle with the assembly and the functions of bundle.cc. */
function build(t: TestContext, cpu: Cpu, ...flags: string[]): string {
  const folder = tempFolder(t);
  const inFolder = (name: string): string => path.join(folder, name);
  const exports = compile(cpu, path.join(PROGRAMS, 'bundle.cc'), inFolder('bundle.o'), ...flags);
  const assembly = compile(cpu, path.join(ARCH, `darwin-${cpu}.cc`), inFolder('raw.o'));
  return link(cpu, inFolder('bundle'), exports, assembly);
}

/** Returns the instructions between the labels. */
function instructionsBetweenLabels(bundle: string): string[] {
  const text = run(OBJDUMP, ['-d', '--no-show-raw-insn', bundle]);
  return instructions(/<raw_code_begin>:\n(.*?)\n\n.*<raw_code_end>:\n/s.exec(text)?.[1] ?? '');
}

type Call = { symbol: string; arguments: (number | string)[]; carry?: boolean; value?: number | null };
type Answer = {
  result: number;
  writes: { number: number; arguments: number[]; bytes: string; code: string }[];
  lost: string[];
};

// The address to which darwin.py loads a bundle.
const BASE = 0x100000000;

function emulate(python: string, cpu: Cpu, bundle: string, { registers }: Convention, calls: Call[]): Answer[] {
  const input = JSON.stringify({ cpu, bundle, registers, calls });
  const answers = JSON.parse(run(python, [path.join(PROGRAMS, 'darwin.py')], { input })) as Answer[];
  for (const { lost } of answers) assert.deepEqual(lost, [], 'the registers that a function has to keep');
  return answers;
}

const hex = (text: string): string => Buffer.from(text).toString('hex');

const EXPECTED: Record<Cpu, { code: (convention: Convention) => string[]; instruction: string }> = {
  x64: {
    code: ({ number, instruction }) => [`movl $${number}, %eax`, instruction, 'jae', 'negq %rax'],
    instruction: '0f05',
  },
  arm64: {
    code: ({ number, instruction }) => [`mov x16, #${number}`, plain(instruction), 'b.lo', 'neg x0, x0'],
    // Little-endian. Bits 5 to 20 hold 0x80: Arm Architecture Reference Manual, SVC.
    instruction: '011000d4',
  },
};

for (const cpu of ['x64', 'arm64'] as const) {
  test(`macOS ${cpu}: the bundle contains the instruction once, and raw_code() returns its place`, async (t) => {
    const python = need(t, ...TOOLS) && unicorn(t);
    if (!python) return;
    const convention = await conventionOf('darwin', cpu);
    const bundle = build(t, cpu);
    const code = instructionsBetweenLabels(bundle);
    // Remove the branch's target, which is an address. The next tests run the branch in the emulator.
    assert.deepEqual(
      code.map((line) => line.replace(/^(jae|b\.lo) .*/, '$1')),
      EXPECTED[cpu].code(convention),
    );

    const [begin = 0, ...others] = addresses(NM, bundle, 'raw_code_begin');
    const [end = 0, ...more] = addresses(NM, bundle, 'raw_code_end');
    assert.deepEqual([...others, ...more], [], 'each label once');
    assert.match(run(NM, [bundle]), /^\w+ t raw_code_begin$/m, 'and hidden');
    assert.doesNotMatch(run(NM, ['--extern-only', bundle]), /raw_/);
    const answers = emulate(python, cpu, bundle, convention, [
      { symbol: '_code_begin', arguments: [] },
      { symbol: '_code_size', arguments: [] },
    ]);
    assert.deepEqual(
      answers.map(({ result }) => result),
      [BASE + begin, end - begin],
      'raw_code() returns their place and size',
    );
    // A label's address is also its offset in the file, because the first segment begins at offset 0.
    const bytes = readFileSync(bundle).subarray(begin, end);
    assert.equal(bytes.toString('hex').includes(EXPECTED[cpu].instruction), true);
  });

  test(`macOS ${cpu}: the addon has the same instructions, and its stubs return XNU’s ENOSYS`, async (t) => {
    if (!need(t, ...TOOLS, { command: 'aarch64-linux-gnu-g++', package: 'g++-aarch64-linux-gnu' })) return;
    const addon = buildAddon(tempFolder(t), `darwin-${cpu}`);
    const code = instructionsBetweenLabels(addon).map((line) => line.replace(/^(jae|b\.lo) .*/, '$1'));
    assert.deepEqual(code, EXPECTED[cpu].code(await conventionOf('darwin', cpu)));
    // bsd/sys/errno.h in XNU's source; Linux's is 38.
    const ENOSYS = 78;
    for (const stub of ['__Z11int80_writeP5Int80iPKvm', '__Z11uring_writeP5UringiPKvm']) {
      const text = run(OBJDUMP, ['-d', '--no-show-raw-insn', `--disassemble-symbols=${stub}`, addon]);
      assert.match(
        text,
        cpu === 'x64' ? new RegExp(`movq\\s+\\$-${ENOSYS}, %rax`) : new RegExp(`mov\\s+x0, #-${ENOSYS}$`, 'm'),
      );
    }
  });

  test(`macOS ${cpu}: the linker does not split raw_write() at the labels`, (t) => {
    if (!need(t, ...TOOLS)) return;
    // With WRITE_ONLY, nothing refers to the labels. If the linker took them for functions, it would strip their code.
    const withReferences = build(t, cpu);
    const withoutReferences = build(t, cpu, '-DWRITE_ONLY');
    const { length } = instructionsBetweenLabels(withReferences);
    assert.ok(length > 0);
    assert.equal(instructionsBetweenLabels(withoutReferences).length, length);
  });

  test(`macOS ${cpu}: a write enters the kernel once, and raw_write() returns its result`, async (t) => {
    const python = need(t, ...TOOLS) && unicorn(t);
    if (!python) return;
    const convention = await conventionOf('darwin', cpu);
    const symbol = '_write_bytes';
    const cases: [fd: number, text: string, answer: { carry: boolean; value: number | null }, result: number][] = [
      [1, 'Hello from XNU\n', { carry: false, value: null }, 15],
      [2147483647, 'short', { carry: false, value: 3 }, 3],
      [3, '', { carry: false, value: null }, 0],
      [3, 'more than 32 bits', { carry: false, value: 0x123456789a }, 0x123456789a],
      // Nine bytes written, not EBADF (9): the carry flag is clear.
      [3, 'carry decides', { carry: false, value: 9 }, 9],
      [-1, 'EBADF', { carry: true, value: 9 }, -9],
      [3, 'EPERM', { carry: true, value: 1 }, -1],
      [3, 'the last errno', { carry: true, value: 107 }, -107],
    ];
    const calls = cases.map(([fd, text, answer]) => ({ symbol, arguments: [fd, text, text.length], ...answer }));
    const answers = emulate(python, cpu, build(t, cpu), convention, calls);
    for (const [at, [fd, text, , result]] of cases.entries()) {
      const { writes, result: returned } = answers[at] as Answer;
      assert.equal(returned, result, text);
      const [{ arguments: passed = [], ...write } = {}, ...others] = writes;
      assert.deepEqual([passed[0], passed[2]], [fd, text.length]);
      const { number } = convention;
      assert.deepEqual(write, { number, bytes: hex(text), code: EXPECTED[cpu].instruction });
      assert.deepEqual(others, []);
    }
  });

  test(`macOS ${cpu}: the compiler keeps no value in a register that the call overwrites`, async (t) => {
    const python = need(t, ...TOOLS) && unicorn(t);
    if (!python) return;
    const folder = tempFolder(t);
    const convention = await conventionOf('darwin', cpu);
    const source = `-DARCH="${path.join(ARCH, `darwin-${cpu}.cc`)}"`;
    for (const level of ['-O0', '-O2', '-O3']) {
      const neighbours = path.join(PROGRAMS, 'neighbours.cc');
      const object = compile(cpu, neighbours, path.join(folder, 'o'), source, level, '-fomit-frame-pointer');
      const bundle = link(cpu, path.join(folder, 'bundle'), object);
      const rounds = 100;
      const [answer] = emulate(python, cpu, bundle, convention, [
        { symbol: '_neighbours', arguments: [1, rounds, 0x123456789abcd], carry: false, value: null },
      ]);
      assert.equal(answer?.result, 0, level);
      const written = answer?.writes.map(({ bytes }) => Buffer.from(bytes, 'hex').readBigUInt64LE());
      assert.deepEqual(
        written,
        Array.from({ length: rounds }, (_, at) => BigInt(at)),
      );
    }
  });
}

// Helpers for the tests of native/: build the addon in a folder of the test's own, inspect the result with binutils,
// and read the tables in src/syscalls/levels/raw.ts for every platform.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Addon } from '../../src/syscalls/bindings/addon.js';
import type { Level, Registers } from '../../src/syscalls/contract.js';
import { ROOT } from './service.js';
import type { Tool } from './tools.js';

export const PROGRAMS = fileURLToPath(new URL('programs/', import.meta.url));
export const ARCH = path.join(ROOT, 'native/arch');
export const require = createRequire(import.meta.url);

/** True if native/build.mjs builds this machine's addon with ELF flags. */
export const ELF = process.platform === 'linux';

export type { Addon };

/** Returns the path of the addon that the service loads on this machine. */
export const builtAddon = (): string => path.join(ROOT, `prebuilds/${process.platform}-${process.arch}/syswire.node`);

export const BINUTILS: Tool[] = ['nm', 'objdump', 'readelf'].map((command) => ({ command, package: 'binutils' }));
export const CLANG: Tool = { command: 'clang++', package: 'clang' };

/** Runs a command to its end. @returns its stdout @throws an error with its stderr when it fails */
export function run(
  command: string,
  args: string[],
  options: { cwd?: string; input?: string; env?: object } = {},
): string {
  return execFileSync(command, args, {
    ...options,
    env: { ...process.env, ...options.env },
    encoding: 'latin1',
    stdio: 'pipe',
    timeout: 60_000,
  });
}

/** Runs native/build.mjs. @returns the path of the addon, which is in a folder of the test's own */
export function buildAddon(folder: string, target: string, env: NodeJS.ProcessEnv = {}): string {
  run(process.execPath, [path.join(ROOT, 'native/build.mjs'), '--out', folder, target], { env });
  return path.join(folder, target, 'syswire.node');
}

export type Convention = { instruction: string; number: number; registers: Registers };

/** Returns the convention of level `raw` on another platform: loads its module again with that process.platform. */
export async function conventionOf(platform: string, arch: string): Promise<Convention> {
  // Load the modules that it imports first, with this machine's platform: they are not loaded again.
  await import('../../src/syscalls/levels/raw.js');
  const names = { platform: process.platform, arch: process.arch };
  Object.defineProperties(process, { platform: { value: platform }, arch: { value: arch } });
  try {
    const { raw } = (await import(`../../src/syscalls/levels/raw.js?${platform}-${arch}`)) as { raw: Level };
    const { via, number, registers } = raw;
    assert.ok(
      via.instruction !== null && number !== null && registers !== null,
      `raw.ts has a row for ${platform}-${arch}`,
    );
    return { instruction: via.instruction, number, registers };
  } finally {
    Object.defineProperties(process, { platform: { value: names.platform }, arch: { value: names.arch } });
  }
}

/** Writes an instruction in the same form for all disassemblers: single blanks, decimal numbers. */
export const plain = (instruction: string): string =>
  instruction.replace(/\s+/g, ' ').replace(/\b0x[0-9a-f]+/g, (hex) => `${Number(hex)}`);

/** Returns the instructions in the output of objdump or llvm-objdump, without their comments. */
export function instructions(text: string): string[] {
  const lines = text.matchAll(/^\s*[0-9a-f]+:\s+(.*?)\s*(?:(?:##|\/\/|;|<).*)?$/gm);
  return Array.from(lines, ([, instruction = '']) => plain(instruction));
}

/** Returns every address that nm prints for a symbol, also for local symbols. */
export function addresses(nm: string, file: string, symbol: string): number[] {
  const lines = run(nm, [file]).matchAll(/^([0-9a-f]+) \w (\S+)$/gm);
  return Array.from(lines).flatMap(([, address, name]) => (name === symbol ? [Number(`0x${address}`)] : []));
}

/** Returns the bytes between a level's labels in an ELF file, and checks that each label exists once. */
export function codeInElf(nm: string, file: string, level: 'raw' | 'int80' | 'uring' = 'raw'): Buffer {
  const [begin = 0, ...others] = addresses(nm, file, `${level}_code_begin`);
  const [end = 0, ...more] = addresses(nm, file, `${level}_code_end`);
  assert.ok(begin > 0 && end > begin, 'the labels exist');
  assert.deepEqual([...others, ...more], [], 'each label exists once');
  // https://man7.org/linux/man-pages/man5/elf.5.html, program headers: offset, address, …, size in the file
  for (const [, ...fields] of run('readelf', ['-lW', file]).matchAll(/LOAD +(\w+) +(\w+) +\w+ +(\w+)/g)) {
    const [offset = 0, address = 0, size = 0] = fields.map(Number);
    if (begin >= address && end <= address + size)
      return readFileSync(file).subarray(begin - address + offset, end - address + offset);
  }
  assert.fail('no LOAD segment contains the labels');
}

/**
 * Checks that the addon imports no function that writes, and that none of its memory is both writable and executable.
 */
export function checkElf(nm: string, file: string): void {
  const wanted: string[] = run(nm, ['-D', '--undefined-only', file]).match(/\S+$/gm) ?? [];
  assert.ok(wanted.includes('napi_create_function'), 'nm lists what the addon needs');
  const writers = /write|put|print|send|splice|syscall|dlsym|open/i;
  assert.deepEqual(
    wanted.filter((name) => writers.test(name) && !name.startsWith('napi_')),
    [],
    'it imports no function that could write',
  );
  const given = run(nm, ['-D', '--defined-only', file]);
  assert.doesNotMatch(given, /raw_|int80_|uring_|system_call/, 'the labels and functions are hidden');

  const segments = run('readelf', ['-lW', file]);
  assert.match(segments, /GNU_STACK .* RW +0x/, 'the stack is not executable');
  assert.match(segments, /GNU_RELRO .* R +0x/);
  assert.doesNotMatch(segments, / RWE /);
  const dynamic = run('readelf', ['-dW', file]);
  assert.match(dynamic, /FLAGS_1.*\bNOW\b/, 'all symbols are bound at the start, so that the table can be read-only');
  assert.doesNotMatch(dynamic, /TEXTREL/);
}

/** The output of registers.cc: the registers that the code changed, all registers before and after, the code's end. */
export type Registered = { changed: string[]; before: Map<string, bigint>; after: Map<string, bigint>; end: bigint };

/** Parses the output of registers.cc. */
export function registered(text: string): Registered {
  const before = new Map<string, bigint>();
  const after = new Map<string, bigint>();
  for (const [, name = '', was, is] of text.matchAll(/^(\S+) ([0-9a-f]+) ([0-9a-f]+)$/gm)) {
    before.set(name, BigInt(`0x${was}`));
    after.set(name, BigInt(`0x${is}`));
  }
  assert.ok(before.size > 40, text);
  const changed = [...before.keys()].filter((name) => before.get(name) !== after.get(name));
  return { changed, before, after, end: BigInt(`0x${/^end ([0-9a-f]+)$/m.exec(text)?.[1]}`) };
}

/** Checks a convention on a CPU: its registers make the call, and only its registers change. */
export function checkRegisters(convention: Convention, probe: (args: string[]) => string): Registered[] {
  const { number, arguments: names, result, clobbered } = convention.registers;
  const call = (fd: number, flags: string[]): Registered => {
    const values = [`${fd}`, 'text', '9'];
    const text = probe([...names.map((name, at) => `${name}=${values[at]}`), ...flags]);
    // The written bytes are on stdout too, before the output of registers.cc.
    assert.equal(text.startsWith('registers'), fd === 1);
    return registered(text.replace(/^registers/, ''));
  };
  const calls = [call(1, []), call(99, ['flags=0'])];
  assert.deepEqual(
    calls.map(({ after }) => BigInt.asIntN(64, after.get(result) ?? 0n)),
    [9n, -9n],
    'the bytes written, and −EBADF',
  );
  for (const { changed } of calls)
    assert.deepEqual(
      new Set(changed),
      new Set([number, result, ...clobbered.filter((name) => name !== 'memory')]),
      'the registers that change',
    );
  return calls;
}

/** Returns the output of neighbours.cc: the numbers from 0, 8 bytes each. */
export const numbers = (count: number): string =>
  Buffer.from(BigUint64Array.from({ length: count }, (_, at) => BigInt(at)).buffer).toString('latin1');

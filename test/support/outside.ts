// Helpers for the tests of `int80` and `uring`: run a script in a child process, under a tracer or a seccomp filter,
// and compare the comments in native/ with the tables of registers.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { minusErrno } from '../../src/syscalls/bindings/errno.js';
import type { Level, Registers } from '../../src/syscalls/contract.js';
import { ROOT, tempFolder } from './service.js';
import type { Tool } from './tools.js';

export const STRACE: Tool = { command: 'strace', package: 'strace' };
export const CC: Tool = { command: 'cc', package: 'gcc' };

type Ran = { status: number | null; stdout: string; stderr: string };

/** Runs a script in a child process. The script can use `levels` and `fs`; `prefix` is a command that starts Node. */
export function runScript(script: string, prefix: string[] = []): Ran {
  const source = `import { levels } from 'syswire/syscalls'; import * as fs from 'node:fs'; ${script}`;
  const [command = '', ...args] = [...prefix, process.execPath, '--input-type=module', '-e', source];
  return spawnSync(command, args, { cwd: ROOT, encoding: 'latin1', timeout: 60_000 });
}

/** Returns a level on another platform: loads its module again with that process.platform. */
export async function levelOn(id: 'int80' | 'uring', platform: string, arch: string): Promise<Level> {
  // Load the modules that it imports first, with this machine's platform: they are not loaded again.
  await import(`../../src/syscalls/levels/${id}.js`);
  const names = { platform: process.platform, arch: process.arch };
  Object.defineProperties(process, { platform: { value: platform }, arch: { value: arch } });
  try {
    const module = (await import(`../../src/syscalls/levels/${id}.js?${platform}-${arch}`)) as Record<typeof id, Level>;
    assert.equal(module[id].available, false);
    assert.equal(module[id].write(1, Buffer.from('nothing of this may be seen')), minusErrno('ENOSYS'));
    return module[id];
  } finally {
    Object.defineProperties(process, { platform: { value: names.platform }, arch: { value: names.arch } });
  }
}

/** Tries a level in a child process. @returns [available, reason, the result of an empty write to stdout] */
export function tryLevel(id: 'int80' | 'uring', prefix: string[]): unknown {
  const { status, stdout, stderr } = runScript(
    `const { ${id}: level } = levels;
     const report = [level.available, level.reason, level.write(1, Buffer.alloc(0))];
     fs.writeSync(1, JSON.stringify(report));`,
    prefix,
  );
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

/** Compiles confine.c, which runs a command under a seccomp filter. @returns the program's path */
export function confine(t: TestContext): string {
  const program = path.join(tempFolder(t), 'confine');
  execFileSync('cc', [
    '-Wall',
    '-Wextra',
    '-Werror',
    '-o',
    program,
    path.join(ROOT, 'test/support/programs/confine.c'),
  ]);
  return program;
}

/** Compares the comment at the head of a file, and its first asm statement, with the level's table of registers. */
export function checkComment(
  source: string,
  convention: { number: number; instruction: string; registers: Registers },
): void {
  const { number, instruction, registers } = convention;
  const lines = source.matchAll(/^\/\/ {3}(\w+) +(.+)$/gm);
  const comment = new Map(Array.from(lines, ([, name = '', value = '']) => [name, value]));
  assert.deepEqual([...comment.keys()], ['number', 'arguments', 'enter', 'result', 'clobbered']);
  assert.ok(comment.get('number')?.startsWith(`${registers.number} = ${number} `));
  const names = comment.get('arguments')?.matchAll(/(\w+) =/g) ?? [];
  assert.deepEqual(
    Array.from(names, ([, name]) => name),
    registers.arguments,
  );
  assert.equal(comment.get('enter'), instruction);
  assert.ok(comment.get('result')?.startsWith(`${registers.result} = `));
  const clobbered = comment
    .get('clobbered')
    ?.replace(/;.*/, '')
    .replace(/ \([^)]*\)/g, '');
  assert.deepEqual(clobbered?.split(', '), registers.clobbered);
  const [, statement = ''] = /__asm__ volatile\((.*?)\);\n/s.exec(source) ?? [];
  const clobbers = statement.slice(statement.lastIndexOf(':')).matchAll(/"(\w+)"/g);
  assert.deepEqual(
    // The statement loads the number's register, so it is an output or one more clobber.
    Array.from(clobbers, ([, name]) => name).filter((name) => name !== registers.number),
    registers.clobbered,
  );
}

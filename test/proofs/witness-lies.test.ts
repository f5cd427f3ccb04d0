// The witness against levels that lie. The test builds the project once more with false levels, and asks that service: the
// verdict says in each case what is not true.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { LEVEL_IDS, type LevelId } from '../../src/protocol/names.js';
import { levels, witnessAvailability } from '../../src/syscalls/index.js';
import { run } from '../support/native.js';
import { ROOT, startService, tempFolder } from '../support/service.js';
import { need } from '../support/tools.js';

const { reason } = witnessAvailability();

/** A false level: its code in place of the true one, the target to write to (`out`), and the verdict. */
type Lie = { name: string; code: string; target?: string; says: (requested: number, fd: number) => RegExp | string };

const OTHER = 'something else, and longer than any message';
const plusOne =
  (level: LevelId): Lie['says'] =>
  (asked) =>
    `write returned ${asked}, and level ${level} ${asked + 1}`;
const instead: Lie['says'] = (_, fd) => `write went to descriptor 1, not ${fd}`;
const twice: Lie['says'] = () => 'write was called 2 times, not once';

/** By level: C++ with `fd`, `bytes` and `count`, or TypeScript with `write` and `fd`. */
const LIES: Record<LevelId, Lie[]> = {
  raw: [
    {
      name: 'returns one more than was written',
      code: 'return raw_write(fd, bytes, count) + 1;',
      says: plusOne('raw'),
    },
    {
      name: 'hides an error',
      code: 'raw_write(fd, bytes, count); return count;',
      target: 'full',
      says: (asked) => `write returned -28, and level raw ${asked}`,
    },
    { name: 'writes to another descriptor', code: 'return raw_write(1, bytes, count);', says: instead },
    { name: 'writes twice', code: 'raw_write(fd, bytes, count); return raw_write(fd, bytes, count);', says: twice },
    {
      name: 'leaves out a byte',
      code: 'return raw_write(fd, bytes, count - 1) + 1;',
      says: (asked) => `write was asked to write ${asked - 1} bytes, not ${asked}`,
    },
    {
      name: 'writes other bytes',
      code: `return raw_write(fd, "${OTHER}", count);`,
      says: (asked) => `write was given other bytes: "${OTHER.slice(0, asked)}"`,
    },
    { name: 'makes no call', code: 'return count;', says: () => 'no write was called' },
    {
      name: 'writes by another instruction',
      code: 'return system_call(1, fd, address_of(bytes), count);',
      says: () => /^write came from syswire\.node\+0x[\da-f]+, not from syswire's own instruction$/,
    },
    {
      name: 'makes another call',
      code: 'return system_call(18, fd, address_of(bytes), count, 0);',
      says: () => 'raw should call write, and pwrite64 was called',
    },
  ],
  int80: [
    {
      name: 'makes the call of raw',
      code: 'return raw_write(fd, bytes, count);',
      says: () => 'write was called by the ABI x86-64, not i386',
    },
  ],
  uring: [
    {
      name: 'makes the call of raw',
      code: 'return raw_write(fd, bytes, count);',
      says: () => 'uring should make no write, and write was called',
    },
    { name: 'makes no call', code: 'return count;', says: () => 'no io_uring_enter was called' },
  ],
  os: [
    { name: 'returns one more than was written', code: 'return write(fd) + 1;', says: plusOne('os') },
    { name: 'writes to another descriptor', code: 'return write(1);', says: instead },
    { name: 'writes twice', code: 'write(fd); return write(fd);', says: twice },
  ],
  std: [
    { name: 'returns one more than was written', code: 'return write(fd) + 1;', says: plusOne('std') },
    { name: 'writes to another descriptor', code: 'return write(1);', says: instead },
    {
      name: 'writes twice',
      code: 'write(fd); return write(fd);',
      // libuv may repeat a write, for the bytes that are left.
      says: (asked) => `write was asked to write ${asked} bytes, not 0`,
    },
  ],
};

/** A message of so many bytes gets a level's first lie, one with one byte more the second. Shorter messages get none. */
const FIRST = 10;
const TRUE = 'hello';

/** Where the lies of each level go: a file, and the text in it that they go before. */
const PLACES: Record<LevelId, [file: string, before: string]> = {
  raw: ['native/addon.cc', 'return raw_write(fd, bytes, count);'],
  int80: ['native/addon.cc', 'return int80_write(&state'],
  uring: ['native/addon.cc', 'return uring_write(&state'],
  os: ['src/syscalls/levels/os-posix.ts', 'const result = Number(libcWrite('],
  std: ['src/syscalls/levels/std.ts', 'return call(fd, bytes);'],
};

/** Returns the code of a level's lies: each is told to the messages of one length. */
function codeOf(level: LevelId, native: boolean): string {
  const length = native ? 'count ==' : 'bytes.byteLength ===';
  const lies = LIES[level].map(({ code }, index) => `if (${length} ${FIRST + index}) { ${code} }\n`);
  if (native) return lies.join('');
  const write = level === 'os' ? 'Number(libcWrite(to, bytes, bytes.byteLength))' : 'call(to, bytes)';
  return `const write = (to: number): number => ${write};\n${lies.join('')}`;
}

/** Builds the project with false levels, in a folder that is removed with the test. @returns its command */
function buildFalse(folder: string): string {
  for (const name of ['package.json', 'tsconfig.json', 'LICENSE', 'src', 'native', 'scripts'])
    cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  for (const level of LEVEL_IDS) {
    const [name, before] = PLACES[level];
    const file = path.join(folder, name);
    const parts = readFileSync(file, 'utf8').split(before);
    assert.equal(parts.length, 2, `${name} has '${before}' once`);
    writeFileSync(file, parts.join(codeOf(level, name.endsWith('.cc')) + before));
  }
  const addon = path.join(folder, 'native/addon.cc');
  writeFileSync(addon, `#include "syscall.h"\n${readFileSync(addon, 'utf8')}`);
  run(process.execPath, ['scripts/build.mjs'], { cwd: folder });
  return path.join(folder, 'dist/cli/main.js');
}

test('a level that lies does not agree, and the verdict says why', async (t) => {
  if (reason !== null) return t.skip(reason);
  if (!need(t, { command: 'c++', package: 'g++' })) return;
  const folder = tempFolder(t);
  const main = buildFalse(folder);
  const service = await startService(t, {
    args: ['--target', `out=${path.join(folder, 'out')}`],
    wrap: ([node = '', , ...args]) => [node, main, ...args],
  });
  const told: string[] = [];
  for (const level of LEVEL_IDS.filter((id) => levels[id].available)) {
    const { verdict } = await service.write({ level, msg: TRUE, target: 'out', witness: true });
    assert.equal(verdict, 'agrees', `${level} tells the truth about short messages`);
    for (const [index, { name, target = 'out', says }] of LIES[level].entries()) {
      const msg = 'x'.repeat(FIRST + index);
      const answer = await service.write({ level, msg, target, witness: true });
      const record = (await service.records()).at(-1) ?? assert.fail();
      const expected = says(msg.length, record.fd);
      const title = `${level} ${name}`;
      if (expected instanceof RegExp) assert.match(answer.verdict ?? '', expected, title);
      else assert.equal(answer.verdict, expected, title);
      assert.deepEqual([record.verdict, record.systemCalls], [answer.verdict, answer.systemCalls], title);
      told.push(level);
    }
  }
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  for (const level of new Set(told)) {
    const lies = told.filter((each) => each === level).length;
    assert.ok(metrics.includes(`syswire_witness_disagreements_total{level="${level}"} ${lies}\n`), metrics);
  }
});

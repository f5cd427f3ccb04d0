// GET /levels describes the machine code of each level: the tests compare it with the file, the memory and objdump.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import type { Levels } from '../../../src/protocol/service.js';
import { witnessAvailability } from '../../../src/syscalls/index.js';
import { testApp } from '../../support/app.js';
import { MAIN, tempFolder } from '../../support/service.js';
import { need } from '../../support/tools.js';
import { withoutWitness } from '../../support/without-witness.js';

/** Disassembles machine code with objdump, and drops white space and comments. */
function disassemble(folder: string, command: string, machine: string, hex: string): string[] {
  const file = path.join(folder, 'code');
  writeFileSync(file, Buffer.from(hex, 'hex'));
  const args = ['-D', '-b', 'binary', '-m', machine, '--no-show-raw-insn', file];
  return execFileSync(command, args, { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => /^\s+[\da-f]+:\t(.*)$/.exec(line)?.[1] ?? [])
    .map((line) =>
      line
        .replace(/\s*\/\/.*$/, '')
        .replace(/\s+/g, ' ')
        .trim(),
    );
}

const OBJDUMP = {
  x64: { command: 'objdump', machine: 'i386:x86-64', package: 'binutils' },
  arm64: { command: 'aarch64-linux-gnu-objdump', machine: 'aarch64', package: 'binutils-aarch64-linux-gnu' },
};
const objdumpFor = (platform: string) => OBJDUMP[platform.endsWith('x64') ? 'x64' : 'arm64'];

test('objdump disassembles the code of each level as GET /levels does', async (t) => {
  const { app } = testApp(t);
  const { levels } = (await app.inject('/levels')).json<Levels>();
  assert.deepEqual(
    levels.map(({ id }) => id),
    LEVEL_IDS,
  );
  const tool = objdumpFor(process.arch);
  if (!need(t, tool)) return;
  for (const { id, code, disassembly } of levels) {
    if (disassembly)
      assert.deepEqual(disassemble(tempFolder(t), tool.command, tool.machine, code as string), disassembly, id);
  }
  assert.equal(levels.filter(({ disassembly }) => disassembly).length, 3, 'raw, int80 and uring');
});

test('objdump disassembles the code of levels on other platforms as GET /levels does', async (t) => {
  const { app } = testApp(t);
  const { elsewhere } = (await app.inject('/levels')).json<Levels>();
  if (!need(t, ...Object.values(OBJDUMP))) return;
  const names = elsewhere.map(({ id, platform }) => `${id} ${platform}`).sort();
  assert.deepEqual(names, ['raw darwin-arm64', 'raw darwin-x64', 'raw linux-arm64', 'uring linux-arm64']);
  for (const { id, platform, code, disassembly } of elsewhere) {
    const { command, machine } = objdumpFor(platform);
    assert.deepEqual(disassemble(tempFolder(t), command, machine, code), disassembly, `${id} on ${platform}`);
  }
});

test('each argument register has its meaning: those of write, and for uring those of io_uring_enter', async (t) => {
  const { app } = testApp(t);
  const { levels, elsewhere } = (await app.inject('/levels')).json<Levels>();
  for (const { id, registers } of [...levels, ...elsewhere]) {
    if (registers === null) continue;
    const [first, ...others] = registers.meanings;
    assert.equal(others.length + 1, registers.arguments.length, id);
    if (id === 'uring') {
      assert.equal(first, "the ring's descriptor");
      assert.doesNotMatch(others.join(), /bytes/);
    } else assert.deepEqual([first, ...others], ['descriptor', 'address of the bytes', 'number of bytes'], id);
  }
});

test("the file of a level contains its code, and is mapped at the level's address", async (t) => {
  const { app } = testApp(t);
  const { levels } = (await app.inject('/levels')).json<Levels>();
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n');
  for (const { id, via, code } of levels) {
    if (id === 'std') {
      assert.equal(via.file, process.execPath);
      continue;
    }
    const { file, address } = via as { file: string; address: string };
    // The length of os's stub is unknown, so GET /levels has no code for it.
    if (code !== null)
      assert.ok(readFileSync(file).includes(Buffer.from(code, 'hex')), `${id}: ${file} contains its code`);
    else assert.deepEqual([id, file], ['os', process.execPath]);
    const mapping = maps.find((line) => {
      const [from, to] = (line.split(' ', 1)[0] as string).split('-').map((hex) => BigInt(`0x${hex || 0}`)) as [
        bigint,
        bigint,
      ];
      return BigInt(address) >= from && BigInt(address) < to;
    });
    assert.match(mapping ?? '', / r-xp /, `${id}: the mapping is executable`);
    assert.equal(
      path.basename(mapping?.split(/\s+/)[5] ?? ''),
      path.basename(file),
      `${id}: the mapping is of that file`,
    );
  }
});

test('ltrace sees the writes of exactly the levels that GET /levels says it sees', async (t) => {
  if (!need(t, { command: 'ltrace', package: 'ltrace' })) return;
  const { app } = testApp(t);
  const { levels } = (await app.inject('/levels')).json<Levels>();
  for (const { id, seenBy } of levels) {
    const trace = path.join(tempFolder(t), 'trace');
    execFileSync('ltrace', ['-f', '-e', 'write', '-o', trace, process.execPath, MAIN, 'call', id, 'seen?'], {
      timeout: 60_000,
    });
    assert.equal(readFileSync(trace, 'latin1').includes('"seen?"'), seenBy?.ltrace, id);
  }
});

const here = { skip: witnessAvailability().reason ?? false };
/** The calls with which levels write. */
const MAIN_CALLS = new Set(['write', 'io_uring_enter']);

test('GET /levels shows one call of each level as it was seen, and makes it once', here, async (t) => {
  const app = testApp(t);
  const ask = async (): Promise<Levels> => (await app.app.inject('/levels')).json<Levels>();
  const first = await ask();
  assert.deepEqual(first.witness, { available: true, reason: null, always: false });
  for (const { id, available, witnessed } of first.levels) {
    assert.equal(witnessed !== null, available, id);
    if (!witnessed) continue;
    assert.deepEqual([witnessed.verdict, witnessed.complete, witnessed.dropped], ['agrees', true, 0], id);
    const own = witnessed.systemCalls.filter(({ name, origin }) => origin.isLevel && MAIN_CALLS.has(name));
    assert.ok(own.length > 0, id);
    if (id !== 'uring') assert.deepEqual([own[0]?.result, own[0]?.preview], [6, 'hello\\n'], id);
  }
  // The addresses on the stack would differ.
  assert.deepEqual((await ask()).levels, first.levels);
  assert.equal((await app.app.inject('/health')).json().next, 1, 'they are no calls of clients');
  assert.doesNotMatch((await app.app.inject('/metrics')).body, /^syswire_witnessed_calls_total\{/m);
});

test('GET /levels without a witness: the reason, and null for each level', here, async (t) => {
  const app = testApp(t);
  const ask = async (): Promise<Levels> => (await app.app.inject('/levels')).json<Levels>();
  const { witness, levels: all } = await withoutWitness(ask);
  const why = 'this process handles SIGSYS itself: remove that handler first';
  assert.deepEqual(witness, { available: false, reason: why, always: false });
  assert.deepEqual(new Set(all.map(({ witnessed }) => witnessed)), new Set([null]));
  const now = await ask();
  assert.equal(now.witness.available, true, 'the answer is that of now');
  for (const { id, available, witnessed } of now.levels) assert.equal(witnessed !== null, available, id);
});

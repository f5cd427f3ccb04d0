// GET /levels as an anatomy lesson: what it says is held against the file, the memory and objdump.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import { testApp } from '../../support/app.js';
import { MAIN, tempFolder } from '../../support/service.js';
import { need } from '../../support/tools.js';

type Told = {
  id: string;
  code: string | null;
  disassembly: string[] | null;
  seenBy: { ltrace: boolean } | null;
  via: { file: string | null; address: string | null };
  manPage: string;
};
type Elsewhere = { id: string; platform: string; code: string; disassembly: string[] };

/** objdump's words for raw machine code, white space and comments left out. */
function objdump(folder: string, command: string, machine: string, hex: string): string[] {
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
const dumperOf = (platform: string) => OBJDUMP[platform.endsWith('x64') ? 'x64' : 'arm64'];

test('the machine code, read back from memory, is what objdump says it is', async (t) => {
  const { app } = testApp(t);
  const { levels } = (await app.inject('/levels')).json<{ levels: Told[] }>();
  assert.deepEqual(
    levels.map(({ id }) => id),
    LEVEL_IDS,
  );
  const dumper = dumperOf(process.arch);
  if (!need(t, dumper)) return;
  for (const { id, code, disassembly } of levels) {
    if (disassembly)
      assert.deepEqual(objdump(tempFolder(t), dumper.command, dumper.machine, code as string), disassembly, id);
  }
  assert.equal(levels.filter(({ disassembly }) => disassembly).length, 3, 'raw, int80 and uring');
});

test('so is that of other platforms, which is from the table and said to be', async (t) => {
  const { app } = testApp(t);
  const { elsewhere } = (await app.inject('/levels')).json<{ elsewhere: Elsewhere[] }>();
  if (!need(t, ...Object.values(OBJDUMP))) return;
  const told = elsewhere.map(({ id, platform }) => `${id} ${platform}`).sort();
  assert.deepEqual(told, ['raw darwin-arm64', 'raw darwin-x64', 'raw linux-arm64', 'uring linux-arm64']);
  for (const { id, platform, code, disassembly } of elsewhere) {
    const { command, machine } = dumperOf(platform);
    assert.deepEqual(objdump(tempFolder(t), command, machine, code), disassembly, `${id} on ${platform}`);
  }
});

test('file and address are where the code lies: it stands in that file, mapped at that address', async (t) => {
  const { app } = testApp(t);
  const { levels } = (await app.inject('/levels')).json<{ levels: Told[] }>();
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n');
  for (const { id, via, code } of levels) {
    if (id === 'std') {
      assert.equal(via.file, process.execPath);
      continue;
    }
    const { file, address } = via as { file: string; address: string };
    // Of a stub nobody says how long it is.
    if (code !== null)
      assert.ok(readFileSync(file).includes(Buffer.from(code, 'hex')), `${id}: its code stands in ${file}`);
    else assert.deepEqual([id, file], ['os', process.execPath]);
    const mapping = maps.find((line) => {
      const [from, to] = (line.split(' ', 1)[0] as string).split('-').map((hex) => BigInt(`0x${hex || 0}`)) as [
        bigint,
        bigint,
      ];
      return BigInt(address) >= from && BigInt(address) < to;
    });
    assert.match(mapping ?? '', / r-xp /, `${id}: mapped to be run`);
    assert.equal(path.basename(mapping?.split(/\s+/)[5] ?? ''), path.basename(file), `${id}: mapped from that file`);
  }
});

test('ltrace sees what it is said to see', async (t) => {
  if (!need(t, { command: 'ltrace', package: 'ltrace' })) return;
  const { app } = testApp(t);
  const { levels } = (await app.inject('/levels')).json<{ levels: Told[] }>();
  for (const { id, seenBy } of levels) {
    const trace = path.join(tempFolder(t), 'trace');
    execFileSync('ltrace', ['-f', '-e', 'write', '-o', trace, process.execPath, MAIN, 'call', id, 'seen?'], {
      timeout: 60_000,
    });
    assert.equal(readFileSync(trace, 'latin1').includes('"seen?"'), seenBy?.ltrace, id);
  }
});

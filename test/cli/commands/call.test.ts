// Tests syswire call, which makes one call in its own process.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import type { CallRecord } from '../../../src/protocol/records.js';
import { levels } from '../../../src/syscalls/index.js';
import { MAIN, tempFolder } from '../../support/service.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);

function run(args: string[], input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'call', ...args], {
    input,
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

for (const level of LEVELS) {
  test(`call ${level}: stdout has the message and nothing else`, () => {
    assert.deepEqual(run([level, 'héllo 🌍\n']), { status: 0, stdout: 'héllo 🌍\n', stderr: '' });
    assert.deepEqual(run([level, '']), { status: 0, stdout: '', stderr: '' });
    assert.deepEqual(run([level, '-'], 'from stdin'), { status: 0, stdout: 'from stdin', stderr: '' });
  });

  test(`call ${level} appends to a target file`, (t) => {
    const file = path.join(tempFolder(t), 'out');
    for (const msg of ['one ', 'two']) assert.equal(run([level, msg, '--target', file]).status, 0);
    assert.equal(readFileSync(file, 'utf8'), 'one two');
  });

  test(`call ${level} that the operating system refuses: exit 1, one line, a record`, () => {
    const { status, stdout, stderr } = run([level, 'hello', '--target', '/dev/full', '--json']);
    const [json, line] = stderr.split('\n');
    const { requested, written, error, target, ...record } = JSON.parse(json as string) as CallRecord;
    assert.deepEqual({ requested, written, target }, { requested: 5, written: 0, target: '/dev/full' });
    assert.deepEqual(error, { code: 'ENOSPC', errno: 28, message: 'No space left on device' });
    assert.equal(record.level, level);
    assert.ok(record.durationNs > 0 && record.durationNs < 1e9);
    assert.ok(Math.abs(record.time - Date.now()) < 60_000);
    assert.equal(line, 'syswire: write to /dev/full: ENOSPC (28): No space left on device');
    assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
  });
}

const USAGE: [string, string[], RegExp][] = [
  ['no level', [], /level is missing: .*syswire call; LEVEL is raw, int80, uring, os or std/],
  ['an unknown level', ['int81', 'x'], /level 'int81' is unknown: use raw, int80, uring, os or std/],
  ['no message', ['raw'], /message is missing: give it after raw/],
  ['two messages', ['raw', 'a', 'b'], /put 'a b' in quotes/],
  ['an unknown flag', ['raw', 'a', '--jsno'], /Unknown option '--jsno'/],
  ['a target that cannot be opened', ['raw', 'a', '--target', '/nowhere/a'], /--target \/nowhere\/a: ENOENT/],
];

for (const [name, args, says] of USAGE) {
  test(`call with ${name}: exit 2, one line`, () => {
    const { status, stdout, stderr } = run(args);
    assert.match(stderr, says);
    assert.match(stderr, /^syswire: .*\n$/);
    assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
  });
}

// syswire probe: hostile arguments, in a child process that may die of them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { LevelId } from '../../../src/protocol/names.js';
import { HOSTILE, WRITE_FROM } from '../../../src/syscalls/hostile.js';
import { levels, osError } from '../../../src/syscalls/index.js';
import { MAIN, ROOT, tempFolder } from '../../support/service.js';
import { need } from '../../support/tools.js';

const here = (Object.keys(WRITE_FROM) as LevelId[]).filter((id) => levels[id].available);

function run(args: string[], prefix: string[] = []) {
  const [command, ...rest] = [...prefix, process.execPath, MAIN, 'probe', ...args] as [string, ...string[]];
  const { status, stdout, stderr } = spawnSync(command, rest, { encoding: 'utf8', timeout: 20_000 });
  return { status, stdout, stderr };
}

type Told = { result: number | null; code: string | undefined; signal: string | null };

/** The result of each case, −errno or a count; LTP's write05 and gVisor's tests beside those that check the same. */
const EXPECTED: Record<string, number> = {
  'null-0': 0, // g:WriteZeroLengthNullBuffer
  'null-1': -14, // g:WriteNullBuffer
  protected: -14, // write05 (EFAULT)
  'runs-off': 4096, // g:PartialWriteSIGSEGV
  'too-long': -14,
  'fd-negative': -9, // write05 (EBADF), g:WriteNegativeFd
  'fd-highest': -9,
};

test('the table names every case', () => assert.deepEqual(Object.keys(EXPECTED), Object.keys(HOSTILE)));

for (const level of here) {
  for (const [name, expected] of Object.entries(EXPECTED)) {
    test(`${name} at ${level}`, () => {
      const { status, stdout, stderr } = run([name, '--level', level]);
      const { result, error, signal } = JSON.parse(stdout);
      const told: Told = { result, code: error?.code, signal };
      // int80 copies the bytes below 4 GiB, and in that copy runs off the end itself; if there is room for the copy,
      // and not a page of V8's, which may lie anywhere.
      const isCopied = level === 'int80' && name === 'too-long';
      const copied: Told = error
        ? { result: -12, code: 'ENOMEM', signal: null }
        : { result: null, code: undefined, signal: 'SIGSEGV' };
      const usual: Told = { result: expected, code: osError(expected)?.code, signal: null };
      assert.deepEqual(told, isCopied ? copied : usual);
      assert.deepEqual({ status, stderr }, { status: signal ? 1 : 0, stderr: '' });
    });
  }
}

test('strace saw the null address that was passed', (t) => {
  if (!need(t, { command: 'strace', package: 'strace' })) return;
  for (const level of ['raw', 'os']) {
    const trace = path.join(tempFolder(t), 'trace');
    run(['null-1', '--level', level], ['strace', '-f', '-e', 'trace=write', '-o', trace]);
    assert.match(readFileSync(trace, 'utf8'), /write\(\d+, NULL, 1\) += -1 EFAULT/, level);
  }
});

const USAGE: [string, string[], RegExp][] = [
  ['no case', [], /a case is needed: one of null-0, /],
  ['an unknown case', ['null-2', '--level', 'raw'], /a case is needed/],
  ['no level', ['null-0'], /--level is needed: one of raw, /],
  ['a level that takes no address', ['null-0', '--level', 'std'], /--level is needed/],
  ['two cases', ['null-0', 'null-1', '--level', 'raw'], /one too many/],
];

for (const [name, args, says] of USAGE) {
  test(`${name}: exit 2 and one line`, () => {
    const { status, stdout, stderr } = run(args);
    assert.match(stderr, says);
    assert.match(stderr, /^syswire: .*\n$/);
    assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
  });
}

test('it is not reachable over HTTP', () => {
  assert.doesNotMatch(readFileSync(path.join(ROOT, 'openapi.yaml'), 'utf8'), /probe|hostile/i);
});

// Tests syswire probe, which makes calls with hostile arguments in a child process that may die.
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

type Outcome = { result: number | null; code: string | undefined; signal: string | null };

/** The result of each case: −errno or a count. LTP (write05) and gVisor (g:) have tests of the same cases. */
const EXPECTED: Record<string, number> = {
  'null-0': 0, // g:WriteZeroLengthNullBuffer
  'null-1': -14, // g:WriteNullBuffer
  protected: -14, // write05 (EFAULT)
  'runs-off': 4096, // g:PartialWriteSIGSEGV
  'too-long': -14,
  'fd-negative': -9, // write05 (EBADF), g:WriteNegativeFd
  'fd-highest': -9,
};

test('every case of probe has an expected result', () => assert.deepEqual(Object.keys(EXPECTED), Object.keys(HOSTILE)));

for (const level of here) {
  for (const [name, expected] of Object.entries(EXPECTED)) {
    test(`probe ${name} at ${level}: result ${expected}, or int80's own copy fails`, () => {
      const { status, stdout, stderr } = run([name, '--level', level, '--json']);
      const { result, error, signal } = JSON.parse(stdout);
      const outcome: Outcome = { result, code: error?.code, signal };
      // int80 copies the bytes below 4 GiB first. With too-long it has no room there (ENOMEM), or the copy itself reads
      // beyond the mapping (SIGSEGV). V8's pages, which may lie anywhere, decide which.
      const isCopied = level === 'int80' && name === 'too-long';
      const copied: Outcome = error
        ? { result: -12, code: 'ENOMEM', signal: null }
        : { result: null, code: undefined, signal: 'SIGSEGV' };
      const usual: Outcome = { result: expected, code: osError(expected)?.code, signal: null };
      assert.deepEqual(outcome, isCopied ? copied : usual);
      assert.deepEqual({ status, stderr }, { status: signal ? 1 : 0, stderr: '' });
    });
  }
}

test('strace sees the null address that probe passes', (t) => {
  if (!need(t, { command: 'strace', package: 'strace' })) return;
  for (const level of ['raw', 'os']) {
    const trace = path.join(tempFolder(t), 'trace');
    run(['null-1', '--level', level], ['strace', '-f', '-e', 'trace=write', '-o', trace]);
    assert.match(readFileSync(trace, 'utf8'), /write\(\d+, NULL, 1\) += -1 EFAULT/, level);
  }
});

const USAGE: [string, string[], RegExp][] = [
  ['no case', [], /case is missing: the command is syswire probe CASE --level LEVEL; CASE is null-0, /],
  ['an unknown case', ['null-2', '--level', 'raw'], /case 'null-2' is unknown: use null-0, /],
  ['no level', ['null-0'], /--level is missing: the command is syswire probe CASE --level LEVEL; use raw, int80 or os/],
  ['a level that takes no address', ['null-0', '--level', 'std'], /--level std: must be raw, int80 or os/],
  ['two cases', ['null-0', 'null-1', '--level', 'raw'], /argument 'null-1' is one too many: leave it out/],
];

for (const [name, args, says] of USAGE) {
  test(`probe with ${name}: exit 2, one line`, () => {
    const { status, stdout, stderr } = run(args);
    assert.match(stderr, says);
    assert.match(stderr, /^syswire: .*\n$/);
    assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
  });
}

test('the HTTP interface offers nothing of probe', () => {
  assert.doesNotMatch(readFileSync(path.join(ROOT, 'openapi.yaml'), 'utf8'), /probe|hostile/i);
});

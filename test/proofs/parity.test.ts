// The parity table, case × level, under two witnesses at once. strace shows the calls that the kernel got: none from
// `uring`. An LD_PRELOAD library shows the caller of libc's write: koffi for `os`, Node itself for `std`, none for the
// other levels. If one level stood in for another, the witnesses would show it.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { LEVEL_IDS, type LevelId } from '../../src/protocol/names.js';
import { levels } from '../../src/syscalls/index.js';
import type { Row } from '../support/programs/parity.js';
import { ROOT, tempFolder } from '../support/service.js';
import { parseStrace } from '../support/strace.js';
import { need } from '../support/tools.js';

const CALLER: Partial<Record<LevelId, RegExp>> = { os: /koffi\.node$/, std: /\/node$/ };

test('every case gives the same result at every level, by one write of that level, or by none at uring', (t) => {
  if (!need(t, { command: 'strace', package: 'strace' }, { command: 'cc', package: 'gcc' })) return;
  const folder = tempFolder(t);
  const [witness, trace, log, out] = ['witness.so', 'trace', 'log', 'out'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  execFileSync('cc', [
    '-shared',
    '-fPIC',
    '-O1',
    '-o',
    witness,
    path.join(ROOT, 'test/support/programs/witness.c'),
    '-ldl',
  ]);
  const fd = openSync(out, 'w');
  const strace = [
    '-f',
    '-xx',
    '-s',
    '100000',
    '-e',
    'trace=write',
    '-E',
    `LD_PRELOAD=${witness}`,
    '-E',
    `WITNESS_LOG=${log}`,
    '-o',
    trace,
  ];
  const node = [process.execPath, '--import', 'tsx', path.join(ROOT, 'test/support/programs/parity.ts'), folder];
  const { status, stderr } = spawnSync('strace', [...strace, ...node], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe', fd],
    encoding: 'utf8',
    timeout: 60_000,
  });
  closeSync(fd);
  assert.equal(status, 0, stderr);

  const rows: Row[] = readFileSync(out, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const traced = parseStrace(readFileSync(trace, 'utf8'));
  const calls = readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ') as [hex: string, file: string]);

  for (const row of rows) {
    const name = `${row.case}, ${row.level}`;
    const seen = traced.filter(({ bytes }) => bytes.toString('hex') === row.sent);
    const expected = levels[row.level].seenBy?.strace ? [[row.fd, row.sent.length / 2, row.result]] : [];
    assert.deepEqual(
      seen.map(({ fd, count, result }) => [fd, count, result]),
      expected,
      `${name}: strace shows the writes with exactly these bytes`,
    );

    const by = calls.filter(([hex]) => hex === row.sent.slice(0, 128)).map(([, file]) => file);
    const caller = CALLER[row.level];
    assert.equal(by.length, caller ? 1 : 0, `${name}: libc's write was called by ${by}`);
    if (caller) assert.match(by[0] ?? '', caller, name);

    const errno = /^(E[A-Z]+):/.exec(row.case)?.[1] as keyof typeof constants.errno | undefined;
    assert.equal(row.result, errno ? -constants.errno[errno] : row.sent.length / 2, name);
  }

  const cases = new Set(rows.map((row) => row.case)).size;
  const available = LEVEL_IDS.filter((id) => levels[id].available);
  assert.deepEqual([...new Set(rows.map((row) => row.level))], available);
  assert.equal(rows.length, cases * available.length);
  t.diagnostic(
    `${cases} cases × ${available.length} levels = ${rows.length} calls: strace saw each once, but none of uring`,
  );
});

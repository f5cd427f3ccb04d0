// The witness against strace, which watches the same thread at the same time: both see the same system calls.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { LEVEL_IDS } from '../../src/protocol/names.js';
import { levels, type Witnessed, witnessAvailability } from '../../src/syscalls/index.js';
import { PROGRAMS } from '../support/native.js';
import { ROOT, tempFolder } from '../support/service.js';
import { likeStrace, windowsOf } from '../support/strace-windows.js';
import { need } from '../support/tools.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
const { reason } = witnessAvailability();

type List = Witnessed<number> & { level: string; target: string; verdict: string };

const COUNT = 10_000;

test(`strace and the witness see the same system calls in ${COUNT} writes`, async (t) => {
  if (reason !== null) return t.skip(reason);
  if (!need(t, { command: 'strace', package: 'strace' })) return;
  const folder = tempFolder(t);
  const [trace, out] = [path.join(folder, 'trace'), path.join(folder, 'lists')];
  const rounds = Math.ceil(COUNT / (LEVELS.length * 14));
  execFileSync('strace', [
    ...['-o', trace, '-e', 'raw=all'],
    ...[process.execPath, '--import', 'tsx', path.join(PROGRAMS, 'witnessed.ts'), `${rounds}`, out],
  ]);
  const { lists, written } = JSON.parse(readFileSync(out, 'utf8')) as { lists: List[]; written: number };
  const windows = windowsOf(readFileSync(trace, 'latin1'));
  assert.ok(lists.length >= COUNT, `${lists.length} windows`);
  // The windows of the check whether there is a witness have one getppid.
  const writes = windows.filter((calls) => calls[0]?.name !== 'getppid');
  assert.equal(writes.length, lists.length);
  let calls = 0;
  for (const [at, { systemCalls, complete, dropped, verdict, level, target }] of lists.entries()) {
    const seen = writes[at] ?? [];
    const title = `${level} to ${target}`;
    assert.deepEqual(
      systemCalls.map((call, index) => likeStrace(call, seen[index])),
      seen.slice(0, systemCalls.length),
      title,
    );
    // The garbage collector may make more calls than a list keeps.
    assert.deepEqual([complete, dropped], [true, seen.length - systemCalls.length], title);
    assert.match(verdict, dropped > 0 ? /^only \d+ of \d+ calls were kept/ : /^agrees$/, title);
    calls += seen.length;
  }
  const targets = new Set(lists.map(({ target }) => target));
  t.diagnostic(`${lists.length} writes to ${targets.size} targets, ${calls} system calls`);
  const toFile = lists.filter(({ target }) => target === 'file').reduce((sum, { result }) => sum + result, 0);
  assert.equal(written, toFile, 'the bytes in the file');
});

test('the witness sees the result that strace injects, and the verdict says what does not agree', async (t) => {
  if (reason !== null) return t.skip(reason);
  if (!need(t, { command: 'strace', package: 'strace' })) return;
  const out = path.join(tempFolder(t), 'lists');
  const target = `${out}.out`;
  execFileSync('strace', [
    ...['-o', '/dev/null', '-P', target, '-e', 'inject=write:error=EDQUOT'],
    ...[process.execPath, '--import', 'tsx', path.join(PROGRAMS, 'witnessed.ts'), '1', out],
  ]);
  const { lists } = JSON.parse(readFileSync(out, 'utf8')) as { lists: List[] };
  const injected = lists.filter((list) => list.target === 'file' && levels[list.level as 'raw'].seenBy?.strace);
  assert.ok(injected.length > 0);
  for (const { systemCalls, result, verdict, level } of injected) {
    const write = systemCalls.find(({ name }) => name === 'write'); // V8 may make calls before it
    assert.deepEqual([write?.name, write?.error?.code, result, verdict], ['write', 'EDQUOT', -122, 'agrees'], level);
  }
});

test('a result that strace enlarges: no bytes beyond those of the write are read', (t) => {
  if (reason !== null) return t.skip(reason);
  if (!need(t, { command: 'strace', package: 'strace' })) return;
  const out = path.join(tempFolder(t), 'out');
  const script = `
    const { levels, witnessWrite } = await import('${ROOT}/dist/syscalls/index.js');
    const { result, report } = witnessWrite(levels.raw, (await import('node:fs')).openSync('${out}', 'w'), Buffer.from('hello'));
    const { preview } = report.systemCalls.find(({ name }) => name === 'write'); // V8 may make calls before it
    console.log(JSON.stringify([result, preview, report.verdict]));`;
  const stdout = execFileSync('strace', [
    ...['-o', '/dev/null', '-P', out, '-e', 'inject=write:retval=1000'],
    ...[process.execPath, '--input-type=module', '-e', script],
  ]);
  assert.deepEqual(JSON.parse(`${stdout}`), [
    1000,
    'hello',
    'write returned 1000, more than the 5 bytes it was asked for',
  ]);
});

// Tests syswire call, which makes one call in its own process.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { LEVEL_IDS, type LevelId } from '../../../src/protocol/names.js';
import type { CallRecord } from '../../../src/protocol/records.js';
import { levels, witnessAvailability } from '../../../src/syscalls/index.js';
import { openFaults } from '../../../src/syscalls/targets/faults.js';
import { run as ask } from '../../support/command.js';
import { MAIN, ROOT, startService, tempFolder } from '../../support/service.js';
import { need } from '../../support/tools.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);

const CC = { command: 'cc', package: 'gcc' };

type Options = { input?: string; cwd?: string; env?: NodeJS.ProcessEnv };

function run(args: string[], { input = '', cwd, env = {} }: Options = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'call', ...args], {
    input,
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

for (const level of LEVELS) {
  test(`call ${level}: stdout has the message and nothing else`, () => {
    assert.deepEqual(run([level, 'héllo 🌍\n']), { status: 0, stdout: 'héllo 🌍\n', stderr: '' });
    assert.deepEqual(run([level, '']), { status: 0, stdout: '', stderr: '' });
    assert.deepEqual(run([level, '-'], { input: 'from stdin' }), { status: 0, stdout: 'from stdin', stderr: '' });
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

const REFUSED_HERE = openFaults().filter(({ close, reason }) => {
  close();
  return reason === null;
});

test('call --target with the name of a fault target: its errno, without a service, and no file of that name', (t) => {
  const folder = tempFolder(t);
  assert.ok(process.platform !== 'linux' || REFUSED_HERE.length >= 10, `${REFUSED_HERE.length} fault targets`);
  for (const { name, expects } of REFUSED_HERE) {
    const { status, stdout, stderr } = run(['raw', 'hi', '--target', name], { cwd: folder });
    assert.match(stderr, new RegExp(`^syswire: write to ${name}: ${expects} \\(\\d+\\): .*\n$`));
    assert.deepEqual({ status, stdout }, { status: 1, stdout: '' }, name);
  }
  assert.deepEqual(readdirSync(folder), []);
});

test('call --target stdout, stderr and null: the built-in targets', (t) => {
  const folder = tempFolder(t);
  for (const [target, stdout, stderr] of [
    ['stdout', 'hi', ''],
    ['stderr', '', 'hi'],
    ['null', '', ''],
  ] as const)
    assert.deepEqual(run(['raw', 'hi', '--target', target], { cwd: folder }), { status: 0, stdout, stderr }, target);
  assert.deepEqual(readdirSync(folder), []);
});

test('call --target with a slash is a path, of a name that a target has too', (t) => {
  const folder = tempFolder(t);
  assert.equal(run(['raw', 'hi', '--target', './full'], { cwd: folder }).status, 0);
  assert.equal(readFileSync(path.join(folder, 'full'), 'utf8'), 'hi');
});

test('call with a bare name that no target has: exit 2, the names, and no file', (t) => {
  const folder = tempFolder(t);
  const { status, stderr } = run(['raw', 'hi', '--target', 'ful'], { cwd: folder });
  assert.match(
    stderr,
    /^syswire: target 'ful' is unknown: use stdout, stderr, null, full, .* or hung-up; did you mean full\? \(a path has a slash: \.\/ful\)\n$/,
  );
  assert.equal(status, 2);
  assert.deepEqual(readdirSync(folder), []);
});

const HINT =
  /^syswire: the message ends in two characters, a backslash and an n: in bash and zsh, \$'(.*)' ends in a line feed\n$/;

test("a message that ends in a backslash and an n is written as it is, with a hint at $'…'", async (t) => {
  const typed = 'hi\\n';
  const { status, stdout, stderr } = run(['raw', typed]);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: typed });
  assert.equal(HINT.exec(stderr)?.[1], typed);
  // The example is short, and the shell must not change anything else in it.
  for (const other of ["it's\\n", '\\thi\\n', `${'x'.repeat(100)}\\n`])
    assert.equal(HINT.exec(run(['raw', other]).stderr)?.[1], '…\\n', other);
  for (const args of [
    ['raw', 'hi\n'],
    ['raw', 'n'],
    ['raw', '\\n hi'],
    ['raw', '-'],
  ])
    assert.equal(run(args, { input: typed }).stderr, '', args.join(' '));
  const json = run(['raw', typed, '--json']).stderr;
  assert.equal((JSON.parse(json) as CallRecord).preview, 'hi\\\\n', 'nothing but the record');
  const { url } = await startService(t);
  for (const command of [
    ['write', 'raw'],
    ['burst', 'raw', '--count', '2'],
  ]) {
    const ran = await ask([...command, typed, '--target', 'full', '--json'], url);
    assert.equal(JSON.parse(ran.out).requested, 4);
    assert.match(`${ran.err.split('\n')[0]}\n`, HINT, command[0]);
    assert.doesNotMatch((await ask([...command, '-', '--target', 'full'], url, { input: typed })).err, /backslash/);
  }
});

/** The line that --witness prints for the call with which each level writes. V8 may make other calls before and after it. */
const WITNESSED: Record<LevelId, RegExp> = {
  raw: /^write\(\d+, "hé\\n", 4\) = 4 {2}\[syswire\.node\+0x[\da-f]+\]$/m,
  int80: /^\[i386\] write\(\d+, "hé\\n", 4\) = 4 {2}\[syswire\.node\+0x[\da-f]+\]$/m,
  uring:
    /^fstat\(\d+, 0x[\da-f]+\) = 0 {2}\[syswire\.node\+0x[\da-f]+\]\nio_uring_enter\(\d+, 2, 2, 0x1, 0x0, 0\) = 2 {2}\[.*\]$/m,
  os: /^write\(\d+, "hé\\n", 4\) = 4 {2}\[libc\.so\.6\+0x[\da-f]+, \w*write\]$/m,
  std: /^write\(\d+, "hé\\n", 4\) = 4 {2}\[libc\.so\.6\+0x[\da-f]+, \w*write\]$/m,
};
const { reason } = witnessAvailability();
const here = { skip: reason ?? false };

for (const level of LEVELS) {
  test(`call ${level} --witness prints the system calls and the verdict`, here, () => {
    const { status, stdout, stderr } = run([level, 'hé\n', '--witness', '--target', '/dev/null']);
    const [, calls = '', verdict] = /^(.*)\n(witness: .*)\n$/s.exec(stderr) ?? [];
    assert.match(calls, WITNESSED[level]);
    assert.deepEqual({ verdict, status, stdout }, { verdict: 'witness: agrees', status: 0, stdout: '' });
  });

  test(`call ${level} --witness --json: the record has the list`, here, () => {
    const { status, stderr } = run([level, 'hello', '--witness', '--json', '--target', '/dev/full']);
    const [json = ''] = stderr.split('\n');
    const { systemCalls = [], verdict, error } = JSON.parse(json) as CallRecord;
    assert.deepEqual([error?.code, verdict, status], ['ENOSPC', 'agrees', 1]);
    // V8 may have asked the event loop of this thread to wake up: a write of its own.
    const refused = systemCalls.filter((call) => call.name === 'write' && call.error?.code === 'ENOSPC');
    assert.equal(refused.length, level === 'uring' ? 0 : 1);
  });
}

test('call --witness whose verdict does not agree: exit 1', here, (t) => {
  if (!need(t, CC)) return;
  const shim = path.join(tempFolder(t), 'shim.so');
  execFileSync('cc', ['-shared', '-fPIC', '-o', shim, path.join(ROOT, 'test/support/programs/shim.c')]);
  const { status, stderr } = run(['os', 'hello', '--witness', '--target', '/dev/null'], { env: { LD_PRELOAD: shim } });
  assert.match(stderr, /^write\(\d+, "hell", 4\) = 4 {2}\[shim\.so\+0x[\da-f]+, write, not the level's own\]$/m);
  assert.match(stderr, /\nwitness: write came from shim\.so\+0x[\da-f]+ \(write\), not from libc\n/);
  assert.equal(status, 1);
});

test('call --witness where there is none: exit 2, one line, and no call', here, (t) => {
  if (!need(t, CC)) return;
  const folder = tempFolder(t);
  const [confine, out] = [path.join(folder, 'confine'), path.join(folder, 'out')];
  execFileSync('cc', ['-o', confine, path.join(ROOT, 'test/support/programs/confine.c')]);
  const args = ['dispatch=1', process.execPath, MAIN, 'call', 'raw', 'hello', '--witness', '--target', out];
  const { status, stderr } = spawnSync(confine, args, { encoding: 'utf8' });
  assert.match(stderr, /^syswire: --witness is not available here: .*prctl failed with EPERM\n$/);
  assert.deepEqual([status, existsSync(out)], [2, false]);
});

const USAGE: [string, string[], RegExp][] = [
  ['no level', [], /level is missing: the command is syswire call LEVEL MSG; LEVEL is raw, int80, uring, os or std/],
  ['an unknown level', ['int81', 'x'], /level 'int81' is unknown: use raw, int80, uring, os or std/],
  [
    'no message',
    ['raw'],
    /message is missing: the command is syswire call LEVEL MSG; give - as MSG to read it from stdin/,
  ],
  ['two messages', ['raw', 'a', 'b'], /put 'a b' in quotes/],
  ['an unknown flag', ['raw', 'a', '--jsno'], /unknown flag --jsno: did you mean --json\?/],
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

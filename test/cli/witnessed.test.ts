// Tests --witness of write, of burst and of the service, and the system calls in watch -v.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { BurstResult, WriteResult } from '../../src/protocol/calls.js';
import { witnessAvailability } from '../../src/syscalls/index.js';
import { listen, testApp } from '../support/app.js';
import { ESCAPE, LEVELS, run, watcher } from '../support/command.js';
import { CC, confine } from '../support/outside.js';
import { MAIN, ROOT, startService, tempFolder } from '../support/service.js';
import { need } from '../support/tools.js';

const { reason } = witnessAvailability();
const here = { skip: reason ?? false };
const SCRIPT = { command: 'script', package: 'bsdutils' };

/** The line of the call with which each level writes "hello". V8 may make other calls before and after it. */
const SEEN: Record<string, RegExp> = {
  raw: /^write\(\d+, "hello", 5\) = 5 {2}\[syswire\.node\+0x[\da-f]+\]$/m,
  int80: /^\[i386\] write\(\d+, "hello", 5\) = 5 {2}\[syswire\.node\+0x[\da-f]+\]$/m,
  uring: /^io_uring_enter\(\d+, \d, \d, 0x1, 0x0, 0\) = [12] {2}\[syswire\.node\+0x[\da-f]+\]$/m,
  os: /^write\(\d+, "hello", 5\) = 5 {2}\[libc\.so\.6\+0x[\da-f]+, \w*write\]$/m,
  std: /^write\(\d+, "hello", 5\) = 5 {2}\[libc\.so\.6\+0x[\da-f]+, \w*write\]$/m,
};

/** The same, of 20 calls of a burst. */
const COUNTED: Record<string, RegExp> = {
  raw: /^write +×20 = 5 {2}\[syswire\.node\+0x[\da-f]+\]$/m,
  int80: /^\[i386\] write +×20 = 5 {2}\[syswire\.node\+0x[\da-f]+\]$/m,
  uring: /^io_uring_enter +×20 = [12] {2}\[syswire\.node\+0x[\da-f]+\]$/m,
  os: /^write +×20 = 5 {2}\[libc\.so\.6\+0x[\da-f]+, \w*write\]$/m,
  std: /^write +×20 = 5 {2}\[libc\.so\.6\+0x[\da-f]+, \w*write\]$/m,
};

test('write --witness and burst --witness print the system calls and the verdict, at each level', here, async (t) => {
  const url = await listen(testApp(t).app);
  for (const level of LEVELS) {
    const one = await run(['write', level, 'hello', '--target', 'out', '--witness'], url);
    assert.match(one.out, new RegExp(`^5 of 5 bytes at ${level} to out: record \\d+, .*\n(?:.*\n)+witness: agrees\n$`));
    assert.match(one.out, SEEN[level] as RegExp);
    const many = await run(['burst', level, 'hello', '--target', 'out', '--count', '20', '--witness'], url);
    assert.match(many.out, new RegExp(`^20 calls at ${level} to out: .*\n(?:.*\n)+every verdict agrees\n$`));
    assert.match(many.out, COUNTED[level] as RegExp);
    assert.deepEqual([one.code, one.err, many.code, many.err], [0, '', 0, ''], level);
  }
});

test('write --witness that the operating system refuses: its system call, and the error; exit 1', here, async (t) => {
  const url = await listen(testApp(t).app);
  const one = await run(['write', 'raw', 'hello', '--target', 'full', '--witness'], url);
  assert.match(one.out, /^write\(\d+, 0x[\da-f]+, 5\) = -1 ENOSPC \(No space left on device\) {2}\[.*\]$/m);
  assert.match(one.out, /^witness: agrees\n$/m);
  assert.deepEqual([one.code, one.err], [1, 'syswire: write to full: ENOSPC (28): No space left on device\n']);
  const many = await run(['burst', 'raw', 'hello', '--target', 'full', '--count', '20', '--witness'], url);
  assert.match(many.out, /^write +×20 = -1 ENOSPC \(No space left on device\) {2}\[syswire\.node\+0x[\da-f]+\]$/m);
  assert.match(many.out, /^every verdict agrees\n$/m);
  assert.equal(many.code, 1);
});

test('write and burst --witness --json print the answer and nothing else', here, async (t) => {
  const url = await listen(testApp(t).app);
  const one = await run(['write', 'raw', 'hello', '--target', 'out', '--witness', '--json'], url);
  const { systemCalls = [], verdict } = JSON.parse(one.out) as WriteResult;
  assert.ok(systemCalls.some(({ name, preview }) => name === 'write' && preview === 'hello'));
  assert.deepEqual([one.code, verdict], [0, 'agrees']);
  const many = await run(['burst', 'raw', 'hello', '--target', 'out', '--count', '20', '--witness', '--json'], url);
  const burst = JSON.parse(many.out) as BurstResult;
  assert.deepEqual([many.code, burst.disagreed, burst.verdict], [0, 0, 'agrees']);
});

test(
  'without --witness neither asks for one, and a service that witnesses every call changes nothing',
  here,
  async (t) => {
    for (const witness of [false, true]) {
      const url = await listen(testApp(t, { witness }).app);
      assert.match((await run(['write', 'raw', 'hello', '--target', 'out'], url)).out, /^5 of 5 .*\n$/);
      assert.match((await run(['burst', 'raw', 'x', '--count', '2'], url)).out, /^2 calls.*\n.*\n.*\n$/);
      const { out } = await run(['write', 'raw', 'hello', '--target', 'out', '--json'], url);
      assert.equal('verdict' in JSON.parse(out), witness);
    }
  },
);

/** Compiles shim.c, an LD_PRELOAD library with a write of its own. @returns its path */
function compileShim(t: TestContext): string {
  const shim = path.join(tempFolder(t), 'shim.so');
  execFileSync('cc', ['-shared', '-fPIC', '-o', shim, path.join(ROOT, 'test/support/programs/shim.c')]);
  return shim;
}

test('a verdict that does not agree: write and burst exit with 1, and watch -v marks it', here, async (t) => {
  if (!need(t, CC)) return;
  const { url } = await startService(t, { args: ['--no-faults'], env: { LD_PRELOAD: compileShim(t) } });
  const why = /write came from shim\.so\+0x[\da-f]+ \(write\), not from libc/.source;
  const one = await run(['write', 'os', 'hello', '--target', 'null', '--witness'], url);
  assert.match(one.out, /^4 of 5 bytes at os to null/);
  assert.match(one.out, /^write\(\d+, "hell", 4\) = 4 {2}\[shim\.so\+0x[\da-f]+, write, not the level's own\]$/m);
  assert.match(one.out, new RegExp(`^witness: ${why}\n$`, 'm'));
  assert.deepEqual([one.code, one.err], [1, '']);
  assert.equal((await run(['write', 'os', 'hello', '--target', 'null', '--witness', '--json'], url)).code, 1);

  const three = await run(['burst', 'os', 'hello', '--count', '3', '--witness'], url);
  assert.match(three.out, /^write +×3 = 4 {2}\[shim\.so\+0x[\da-f]+, write, not the level's own\]$/m);
  assert.match(three.out, new RegExp(`^3 of 3 verdicts do not agree: ${why}\n$`, 'm'));
  const single = await run(['burst', 'os', 'hello', '--count', '1', '--witness'], url);
  assert.match(single.out, new RegExp(`^1 of 1 verdicts does not agree: ${why}\n$`, 'm'));
  assert.deepEqual([three.code, single.code], [1, 1]);
  assert.equal((await run(['burst', 'os', 'hello', '--count', '3', '--witness', '--json'], url)).code, 1);

  const { until, got } = watcher(t, ['-v', '--since', '1'], url);
  await until(() => got.out.split('! witness: ').length > 6);
  assert.match(got.out, new RegExp(`^ {2}! witness: ${why}$`, 'm'));
});

test('where there is no witness: --witness is named with the reason, exit 2, and no call is made', here, async (t) => {
  if (!need(t, CC)) return;
  const program = confine(t);
  const why = /: a seccomp filter or the kernel forbids it: prctl failed with EPERM\n$/.source;
  const service = await startService(t, { wrap: (command) => [program, 'dispatch=1', ...command] });
  for (const command of ['write', 'burst']) {
    const { code, out, err } = await run([command, 'raw', 'hello', '--target', 'null', '--witness'], service.url);
    assert.match(err, new RegExp(`^syswire: --witness: the witness is not available here${why}`));
    assert.deepEqual([code, out], [2, '']);
  }
  assert.deepEqual(await service.records(), []);
  for (const [args, env, named] of [
    [['--witness'], {}, '--witness'],
    [[], { SYSWIRE_WITNESS: 'true' }, 'SYSWIRE_WITNESS=true'],
  ] as const) {
    const command = ['dispatch=1', process.execPath, MAIN, '--port', '0', ...args];
    const options = { env: { ...process.env, ...env }, encoding: 'utf8', timeout: 20_000 } as const;
    const { status, stdout, stderr } = spawnSync(program, command, options);
    assert.match(stderr, new RegExp(`^syswire: ${named} is not available here${why}`));
    assert.deepEqual([status, stdout], [2, ''], named);
  }
});

test(
  'the service with --witness or SYSWIRE_WITNESS witnesses every call; --no-witness wins over the variable',
  here,
  async (t) => {
    for (const [args, env, isWitnessed] of [
      [['--witness'], {}, true],
      [[], { SYSWIRE_WITNESS: 'true' }, true],
      [['--no-witness'], { SYSWIRE_WITNESS: 'true' }, false],
    ] as const) {
      const service = await startService(t, { args: [...args], env });
      const { verdict } = await service.write({ level: 'raw', msg: 'hello', target: 'null' });
      assert.equal(verdict, isWitnessed ? 'agrees' : undefined, `${args} ${JSON.stringify(env)}`);
      await service.stop();
    }
  },
);

test('watch -v shows the system calls below the row of their record, and nothing below others', here, async (t) => {
  const { app, post } = testApp(t);
  const url = await listen(app);
  for (const witness of [true, false, true]) await post({ level: 'raw', msg: 'hello', target: 'out', witness });
  const rows = /^ +1 .* hello\n((?: {4}.*\n)+) +2 .* hello\n +3 .* hello\n((?: {4}.*\n)+)$/;
  for (const flag of ['-v', '--verbose']) {
    const { until, got, child, exited } = watcher(t, [flag, '--since', '1'], url);
    await until(() => got.out.split('agrees\n').length === 3);
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null]);
    for (const below of rows.exec(got.out)?.slice(1) ?? assert.fail(got.out)) {
      assert.match(below, /^ {4}write\(\d+, "hello", 5\) = 5 {2}\[syswire\.node\+0x[\da-f]+\]$/m);
      assert.match(below, /^ {4}witness: agrees\n$/m);
    }
    assert.doesNotMatch(got.out, ESCAPE);
  }
  const plain = watcher(t, ['--since', '1'], url);
  await plain.until(() => plain.lines().length === 3);
  const json = watcher(t, ['--json', '-v', '--since', '1'], url);
  await json.until(() => json.lines().length === 4);
  const { events } = (await app.inject('/events')).json();
  assert.deepEqual(
    json
      .lines()
      .slice(1)
      .map((line) => JSON.parse(line)),
    events,
  );
  plain.child.kill('SIGTERM');
  await plain.exited;
  assert.equal(plain.lines().length, 3, 'and nothing without the flag');
});

/** Returns the columns that a terminal needs for a line without colours: some characters take two. */
const columnsOf = (line: string): number =>
  [...line].reduce((sum, char) => sum + (/[\p{Script=Han}\p{Emoji_Presentation}]/u.test(char) ? 2 : 1), 0);

/**
 * Runs watch -v in a terminal of 80 columns until it has shown `count` verdicts.
 * @returns the lines of the terminal. https://man7.org/linux/man-pages/man1/script.1.html
 */
async function watchInTerminal(t: TestContext, url: string, count: number, env: NodeJS.ProcessEnv): Promise<string[]> {
  const command = `stty cols 80; exec '${process.execPath}' '${MAIN}' watch -v --since 1`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    // If CI is set, Node reports that a terminal has no colours.
    env: { ...process.env, CI: undefined, SYSWIRE_URL: url, TERM: 'xterm-256color', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let shown = '';
  let isEnough = false;
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    shown += chunk;
    if (isEnough || shown.split('witness: ').length <= count || !shown.endsWith('\n')) continue;
    isEnough = true;
    child.stdin.write('\x03');
  }
  // The terminal may echo the key.
  return shown
    .replace(/\^C.*$/s, '')
    .split('\r\n')
    .slice(0, -1);
}

test(
  'watch -v in a terminal of 80 columns: every line is cut to it, and a verdict that does not agree is red',
  here,
  async (t) => {
    if (!need(t, SCRIPT, CC)) return;
    const service = await startService(t, { env: { LD_PRELOAD: compileShim(t) } });
    const messages = ['x'.repeat(64), '漢字かな'.repeat(5), '🌍'.repeat(16), 'hello'];
    const targets = ['null', 'full'];
    for (const level of LEVELS)
      for (const target of targets)
        for (const msg of messages) await service.write({ level, target, msg, witness: true });
    const count = LEVELS.length * targets.length * messages.length;
    for (const env of [{}, { NO_COLOR: '1' }]) {
      const lines = await watchInTerminal(t, service.url, count, env);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression removes the colours, which take no columns
      const plain = lines.map((line) => line.replace(/\u001b\[\d+m/g, ''));
      assert.match(plain[0] as string, /^ +seq +time/);
      assert.equal(plain.filter((line) => / witness: /.test(line)).length, count);
      for (const line of plain) assert.ok(columnsOf(line) <= 80, `${columnsOf(line)} columns: ${line}`);
      assert.ok(
        plain.some((line) => /^ {4}.*\(.*…$/.test(line)),
        'a system call is cut',
      );
      const [disagrees, agrees] = [/^(.*) {2}! witness: write came from shim\.so.*$/, /^ {4}witness: agrees$/];
      assert.ok(lines.some((line) => agrees.test(line)));
      const [, before] = lines.map((line) => disagrees.exec(line)).find((found) => found !== null) ?? [];
      assert.equal(before, 'NO_COLOR' in env ? '' : '\u001b[31m');
    }
  },
);

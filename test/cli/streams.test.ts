// The command's arguments and standard streams: bytes in, bytes out, or an error with an exit code that is not 0.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readdirSync, readFileSync, write, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { bytesOf, restoreBytes } from '../../src/cli/arguments.js';
import { LEVELS } from '../support/command.js';
import { printTrace } from '../support/reconcile/run.js';
import { makeCalls, random } from '../support/reconcile/synthetic.js';
import { MAIN, openFifo, startService, tempFolder } from '../support/service.js';
import { need } from '../support/tools.js';

/** In Bash's notation: a byte that is not UTF-8, next to characters of two and four bytes. */
const LATIN_1 = String.raw`$'caf\351 \303\251 \360\237\230\200'`;
const BYTES = Buffer.from('636166e920c3a920f09f9880', 'hex');
const ON_LINUX = process.platform === 'linux';

/** Run the command from Bash, because Node encodes the arguments that it passes on as UTF-8. */
function bash(line: string, cwd?: string) {
  const script = `syswire() { '${process.execPath}' '${MAIN}' "$@"; }; ${line}`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { cwd, timeout: 20_000 });
  return { status, stdout, stderr: String(stderr) };
}

test('a message on the command line that is not UTF-8 is written byte for byte', async (t) => {
  if (!ON_LINUX) return t.skip('the bytes of the command line are known on Linux only');
  for (const level of LEVELS)
    assert.deepEqual(bash(`syswire call ${level} ${LATIN_1}`), { status: 0, stdout: BYTES, stderr: '' }, level);
  const file = path.join(tempFolder(t), 'out');
  const { url } = await startService(t, { args: ['--target', `out=${file}`] });
  assert.equal(bash(`syswire write os ${LATIN_1} --target out --url ${url}`).status, 0);
  assert.equal(bash(`syswire burst raw --target out --url ${url} --count 2 -- ${LATIN_1}`).status, 0);
  assert.deepEqual(readFileSync(file), Buffer.concat([BYTES, BYTES, BYTES]));
});

test('a name or a path that is not UTF-8 is refused: exit 2, one line, and no file is created', (t) => {
  const folder = tempFolder(t);
  for (const line of [
    `syswire call raw x --target ${LATIN_1}`,
    `syswire --record ${LATIN_1}`,
    `syswire --target a=/dev/null --target a${LATIN_1}=b`,
    `SYSWIRE_RECORD=${LATIN_1} syswire --port 0`,
    `syswire reconcile ${LATIN_1} records`,
    `syswire call ${LATIN_1} x`,
  ]) {
    const { status, stderr } = bash(line, folder);
    assert.match(stderr, /^syswire: .*has bytes that are not UTF-8.*\n$/, line);
    assert.equal(status, 2, line);
  }
  assert.deepEqual(readdirSync(folder), []);
});

test('where the bytes of an argument cannot be had, it is refused with advice', () => {
  // These are not the arguments of this process, so the kernel has no bytes for them.
  assert.throws(() => restoreBytes(['raw', 'caf\ufffd', 'more']), {
    name: 'Error',
    message: /^argument 2 has U\+FFFD in place of bytes that are not UTF-8: give the message on stdin, with - in/,
  });
  assert.deepEqual(restoreBytes(['raw', 'é 😀']), ['raw', 'é 😀']);
  assert.deepEqual(bytesOf('\udce9é😀'), Buffer.from('e9c3a9f09f9880', 'hex'));
});

/** Wait until a process has made this many more reads and writes, or has ended: one that waits for a pipe tries again. */
async function untilRetried(child: ChildProcess, times: number): Promise<void> {
  const calls = (): number => {
    const counts = readFileSync(`/proc/${child.pid}/io`, 'utf8');
    return Number(/^syscr: (\d+)$/m.exec(counts)?.[1]) + Number(/^syscw: (\d+)$/m.exec(counts)?.[1]);
  };
  const before = calls();
  while (child.exitCode === null && calls() < before + times) await new Promise(setImmediate);
}

/**
 * Start the command with a non-blocking descriptor as a standard stream, by way of Bash and descriptor 3: libuv makes
 * the standard streams of a child blocking.
 */
const startAt = (standard: 0 | 1, fd: number, args: string[]): ChildProcess =>
  spawn('bash', ['-c', `exec "$@" ${standard}<&3 3<&-`, 'bash', process.execPath, MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', fd],
  });

/** Make a trace that lacks the calls of the records: the report as JSON is about 160 kB. */
function makeReport(folder: string): string[] {
  const calls = makeCalls(1000, random(7));
  writeFileSync(path.join(folder, 'trace'), printTrace('strace', calls.slice(0, 1)));
  writeFileSync(path.join(folder, 'records'), `${calls.map(({ record }) => JSON.stringify(record)).join('\n')}\n`);
  return ['reconcile', '--json', '--format', 'strace', path.join(folder, 'trace'), path.join(folder, 'records')];
}

test('a report into a non-blocking pipe with a slow reader arrives whole', async (t) => {
  if (!ON_LINUX) return t.skip('it looks into /proc');
  const { path: fifo, reader, writer } = openFifo(t);
  const stdout = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  const child = startAt(1, stdout, makeReport(tempFolder(t)));
  const exited = once(child, 'exit');
  closeSync(writer);
  // Much more than it needs to start: the pipe is full.
  await untilRetried(child, 1000);
  closeSync(stdout);
  const [out, err, [code]] = await Promise.all([text(reader), text(child.stderr as Readable), exited]);
  assert.ok(out.length > 100_000);
  assert.ok(Array.isArray(JSON.parse(out).details));
  assert.deepEqual([err, code], ['', 1]);
});

test('output that cannot be written: exit 1, one line', (t) => {
  const folder = tempFolder(t);
  for (const args of [['--help'], ['--version'], ['call', '--help'], ['watch', '--help'], makeReport(folder)]) {
    const { status, stderr } = bash(`syswire ${args.join(' ')} >/dev/full`);
    assert.deepEqual(
      { status, stderr },
      { status: 1, stderr: 'syswire: standard output: ENOSPC: no space left on device, write\n' },
    );
  }
  // The record of a call is standard error's.
  assert.equal(bash('syswire call raw x --json 2>/dev/full').status, 1);
});

test('a reader that has seen enough is no error', (t) => {
  const { status, stdout, stderr } = bash('syswire --help | head -c 7; echo " $PIPESTATUS"; true');
  assert.deepEqual([status, String(stdout), stderr], [0, 'syswire 0\n', '']);
  // Differences stay exit code 1.
  const line = `syswire ${makeReport(tempFolder(t)).join(' ')} | head -c 1; echo " $PIPESTATUS"`;
  assert.deepEqual(String(bash(line).stdout), '{ 1\n');
});

test('watch into a file that becomes full in the middle of a line: exit 1, one line', async (t) => {
  if (!need(t, { command: 'prlimit', package: 'util-linux' })) return;
  const service = await startService(t);
  for (let made = 0; made < 10; made++) await service.write({ level: 'raw', msg: 'x', target: 'null' });
  const out = openSync(path.join(tempFolder(t), 'out'), 'w');
  const child = spawn(
    'prlimit',
    ['--fsize=1000', process.execPath, MAIN, 'watch', '--since', '1', '--json', '--url', service.url],
    { stdio: ['ignore', out, 'pipe'], timeout: 10_000 },
  );
  const [err, [code]] = await Promise.all([text(child.stderr as Readable), once(child, 'exit')]);
  assert.deepEqual([err, code], ['syswire: standard output: EFBIG: file too large, write\n', 1]);
});

/** Make a pipe for a child's stdin, whose reads do not block. */
async function openNonBlockingStdin(t: TestContext): Promise<{ stdin: number; writer: number }> {
  const { path: fifo, reader, writer } = openFifo(t);
  const stdin = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  reader.destroy();
  await once(reader, 'close');
  return { stdin, writer };
}

test('a message from a non-blocking stdin whose bytes come late is read to the end', async (t) => {
  if (!ON_LINUX) return t.skip('it looks into /proc');
  const { stdin, writer } = await openNonBlockingStdin(t);
  const file = path.join(tempFolder(t), 'out');
  const child = startAt(0, stdin, ['call', 'raw', '-', '--target', file]);
  closeSync(stdin);
  const ended = Promise.all([text(child.stderr as Readable), once(child, 'exit')]);
  // The second write has room when the command has read the first.
  for (const part of ['a', 'b']) await promisify(write)(writer, part.repeat(65_536));
  await untilRetried(child, 100);
  if (child.exitCode === null) writeSync(writer, 'end');
  closeSync(writer);
  assert.deepEqual(await ended, ['', [0, null]]);
  const whole = `${'a'.repeat(65_536)}${'b'.repeat(65_536)}end`;
  assert.equal(readFileSync(file, 'utf8'), whole);
});

test('a trace and records from a non-blocking stdin are read to the end; one of them only', async (t) => {
  if (!ON_LINUX) return t.skip('it looks into /proc');
  const folder = tempFolder(t);
  makeReport(folder);
  for (const input of ['trace', 'records']) {
    const { stdin, writer } = await openNonBlockingStdin(t);
    const files = ['trace', 'records'].map((name) => (name === input ? '-' : path.join(folder, name)));
    const child = startAt(0, stdin, ['reconcile', '--format', 'strace', ...files]);
    closeSync(stdin);
    const ended = Promise.all([text(child.stdout as Readable), text(child.stderr as Readable), once(child, 'exit')]);
    await untilRetried(child, 1000);
    if (child.exitCode === null) writeSync(writer, readFileSync(path.join(folder, input)).subarray(0, 100));
    await untilRetried(child, 100);
    if (child.exitCode === null) await promisify(write)(writer, readFileSync(path.join(folder, input)).subarray(100));
    closeSync(writer);
    const [out, err, code] = await ended;
    assert.match(out, /^matched +1\nmissing +999\n/);
    assert.deepEqual([err, code], ['', [1, null]], input);
  }
  const { status, stderr } = bash('syswire reconcile - - < /dev/null');
  assert.deepEqual(
    [status, stderr],
    [2, 'syswire: standard input is given twice: it is either a trace or the records\n'],
  );
});

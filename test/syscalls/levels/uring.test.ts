// Level `uring`: that nobody sees a write, that it never waits, and that no write is another's.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, constants, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { lazy } from '../../../src/syscalls/bindings/libc.js';
import { levels } from '../../../src/syscalls/index.js';
import { uring } from '../../../src/syscalls/levels/uring.js';
import { waitForRoom } from '../../../src/syscalls/targets/wait.js';
import { PROGRAMS, registered, run } from '../../support/native.js';
import { CC, checkComment, confine, levelOn, runScript, STRACE, tryLevel } from '../../support/outside.js';
import { openFifo, ROOT, startService, tempFolder } from '../../support/service.js';
import { joinTorn } from '../../support/strace.js';
import { mayDo, need, underAsan } from '../../support/tools.js';

const { O_CREAT, O_NONBLOCK, O_RDWR, O_TRUNC, O_WRONLY } = constants;
const EBADF = -9;
const EAGAIN = -11;
const EINVAL = -22;
const ENOSPC = -28;

const isHere = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
const there = { skip: isHere ? false : 'io_uring is of Linux' };
const here = { skip: uring.available ? false : (uring.reason ?? false) };

test('elsewhere it is listed, and says why it is not there', async () => {
  for (const [platform, arch, says] of [
    ['darwin', 'arm64', 'io_uring is of Linux, and this is darwin'],
    ['linux', 'riscv64', 'no assembly for linux on riscv64 yet: native/arch/ has no file for it'],
  ] as const) {
    const { reason, code, number } = await levelOn('uring', platform, arch);
    assert.deepEqual({ reason, code, number }, { reason: says, code: null, number: null });
  }
});

test('comment, asm statement and what users are told agree', there, () => {
  const { via, number, registers } = uring;
  assert.ok(via.instruction && number && registers);
  checkComment(readFileSync(path.join(ROOT, `native/arch/linux-${process.arch}-calls.cc`), 'utf8'), {
    instruction: via.instruction,
    number,
    registers,
  });
});

const onX64 = { skip: process.platform === 'linux' && process.arch === 'x64' ? false : 'for linux-x64' };

test('of the registers the kernel changes those that are told, no other', onX64, (t) => {
  if (!need(t, { command: 'g++', package: 'g++' })) return;
  const folder = tempFolder(t);
  writeFileSync(path.join(folder, 'code.bin'), uring.code ?? '');
  const probe = path.join(folder, 'registers');
  run('g++', ['-O2', `-Wa,-I,${folder}`, '-o', probe, path.join(PROGRAMS, 'registers.cc')]);
  const { number, arguments: names, result, clobbered } = uring.registers as NonNullable<typeof uring.registers>;
  const { changed, after } = registered(
    run(
      probe,
      names.map((name, at) => `${name}=${[99, 1, 1, 1, 0, 0][at]}`),
    ),
  );
  assert.equal(BigInt.asIntN(64, after.get(result) ?? 0n), BigInt(EBADF));
  const told = new Set([number, result, ...clobbered.filter((name) => name !== 'memory')]);
  assert.deepEqual(new Set(changed), told);
});

test('strace sees one io_uring_enter a call, and no write', here, (t) => {
  if (!need(t, STRACE)) return;
  const log = path.join(tempFolder(t), 'log');
  // The probe first; the write of fs shows that strace would see one.
  const { status, stdout, stderr } = runScript(
    `levels.uring.available;
     fs.writeSync(1, 'begin ');
     for (let i = 0; i < 10; i++) levels.uring.write(1, Buffer.from('unseen '));
     fs.writeSync(1, 'end');`,
    ['strace', '-f', '-e', 'trace=write,pwrite64,writev,io_uring_enter', '-o', log],
  );
  assert.deepEqual({ status, stdout }, { status: 0, stdout: `begin ${'unseen '.repeat(10)}end` }, stderr);
  const lines = joinTorn(readFileSync(log, 'utf8')).join('\n');
  const [, between = ''] = /"begin ".*?\n(.*)^.*"end"/ms.exec(lines) ?? [];
  // Node itself writes to its event descriptors.
  const seen = between.match(/^.*(?:write\w*\(1,|io_uring_enter).*$/gm) ?? [];
  assert.equal(seen.length, 10, between);
  for (const line of seen) assert.match(line, /io_uring_enter\(\d+, 2, 2, IORING_ENTER_GETEVENTS, NULL, 0\) = 2$/);
});

/** Opens something, and closes it with the test. */
function open(t: TestContext, file: string, flags: number): number {
  const fd = openSync(file, flags);
  t.after(() => closeSync(fd));
  return fd;
}

test('where it differs from raw: no bytes to a full device are 0', here, (t) => {
  for (const flags of [O_WRONLY, O_WRONLY | O_NONBLOCK]) {
    const fd = open(t, '/dev/full', flags);
    assert.deepEqual([uring.write(fd, Buffer.alloc(0)), levels.raw.write(fd, Buffer.alloc(0))], [0, ENOSPC]);
    for (let i = 0; i < 200; i++) assert.equal(uring.write(fd, Buffer.from('x')), ENOSPC);
  }
});

test('where it differs from raw: a full FIFO is EAGAIN even to a descriptor that blocks', here, (t) => {
  const { path: fifo, reader, writer } = openFifo(t);
  t.after(() => closeSync(writer));
  const nonBlocking = open(t, fifo, O_WRONLY | O_NONBLOCK);
  assert.equal(uring.write(writer, Buffer.alloc(100_000)), 65_536, 'what fits');
  for (const fd of [writer, nonBlocking])
    for (let i = 0; i < 100; i++) assert.equal(uring.write(fd, Buffer.from('x')), EAGAIN);
  assert.equal(levels.raw.write(nonBlocking, Buffer.from('x')), EAGAIN);
  assert.ok(reader);
});

const epollCreate = lazy<(flags: number) => number>('int epoll_create1(int flags)');
const fcntl = lazy<(fd: number, command: number, type: 'int', argument: number) => number>(
  'int fcntl(int fd, int command, ...)',
);
const eventfd = lazy<(count: number, flags: number) => number>('int eventfd(unsigned int count, int flags)');
const F_SETFL = 4;

test('where it differs from raw: an epoll descriptor is EINVAL only with O_NONBLOCK, and never a wait', here, (t) => {
  const fd = epollCreate(0);
  t.after(() => closeSync(fd));
  const x = Buffer.from('x');
  assert.deepEqual([uring.write(fd, x), levels.raw.write(fd, x)], [EAGAIN, EINVAL]);
  fcntl(fd, F_SETFL, 'int', O_NONBLOCK);
  assert.deepEqual([uring.write(fd, x), levels.raw.write(fd, x)], [EINVAL, EINVAL]);
});

test('an event descriptor takes eight bytes, and EAGAIN when it is full', here, (t) => {
  const fd = eventfd(0, O_NONBLOCK);
  t.after(() => closeSync(fd));
  const most = Buffer.from(BigUint64Array.of(0xfffffffffffffffen).buffer);
  const one = Buffer.from(BigUint64Array.of(1n).buffer);
  assert.deepEqual(
    [uring.write(fd, Buffer.alloc(3)), uring.write(fd, most), uring.write(fd, one), levels.raw.write(fd, one)],
    [EINVAL, 8, EAGAIN, EAGAIN],
  );
});

test('a number that was a FIFO’s and is a file’s now, and back: never a false EAGAIN, never a wait', here, (t) => {
  const file = path.join(tempFolder(t), 'file');
  const { path: fifo, writer } = openFifo(t);
  closeSync(writer);
  const numbers = new Set<number>();
  for (let i = 0; i < 200; i++) {
    const fd = openSync(i % 2 ? file : fifo, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK);
    numbers.add(fd);
    const message = Buffer.from(`message ${i}`);
    assert.equal(uring.write(fd, message), message.length);
    if (i % 2) assert.equal(readFileSync(file, 'utf8'), `message ${i}`);
    closeSync(fd);
  }
  assert.equal(numbers.size, 1, 'it was the same number each time');
});

test('a call that fails on its way in leaves nothing behind for the next', here, (t) => {
  if (!need(t, STRACE)) return;
  const out = path.join(tempFolder(t), 'out');
  for (const [error, errno] of [
    ['EBUSY', -16],
    ['EINTR', -4],
    ['ENOMEM', -12],
  ] as const) {
    // The first enter is the probe's.
    const inject = `inject=io_uring_enter:error=${error}:when=3..4`;
    const { status, stdout, stderr } = runScript(
      `const fd = fs.openSync(${JSON.stringify(out)}, 'w');
       const results = ['one', 'lost', 'gone', 'two'].map((text) => levels.uring.write(fd, Buffer.from(text)));
       fs.writeSync(1, JSON.stringify(results));`,
      ['strace', '-f', '-o', '/dev/null', '-e', 'trace=io_uring_enter', '-e', inject],
    );
    assert.deepEqual({ status, stdout }, { status: 0, stdout: JSON.stringify([3, errno, errno, 3]) }, stderr);
    assert.equal(readFileSync(out, 'utf8'), 'onetwo');
  }
});

test('signals while the kernel writes: each call still waits for its own result', here, (t) => {
  if (!need(t, CC)) return;
  const folder = tempFolder(t);
  const [library, out] = [path.join(folder, 'interrupt.so'), path.join(folder, 'out')];
  const source = path.join(ROOT, 'test/support/programs/interrupt.c');
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, source]);
  const { status, stdout, stderr } = runScript(`
    const { default: koffi } = await import('koffi');
    const [file, signals] = [${JSON.stringify(out)}, ${JSON.stringify(path.join(folder, 'signals'))}].map((name) => fs.openSync(name, 'w'));
    const arm = koffi.load(${JSON.stringify(library)}).func('void arm(int notify, long milliseconds)');
    arm(signals, 1);
    const bytes = Buffer.alloc(1 << 20);
    const results = new Set();
    for (let i = 0; i < 300; i++) results.add(levels.uring.write(file, bytes.fill(i)));
    arm(signals, 0);
    fs.writeSync(1, JSON.stringify([...results]));`);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: JSON.stringify([1 << 20]) }, stderr);
  const came = readFileSync(path.join(folder, 'signals')).length / 2;
  assert.ok(came > 20, `${came} signals came`);
  const bytes = readFileSync(out);
  assert.equal(bytes.length, 300 << 20);
  for (let i = 0; i < 300; i++) assert.ok(bytes.subarray(i << 20, (i + 1) << 20).every((byte) => byte === i % 256));
});

test(
  '100,000 writes into a FIFO that a slow reader drains: what was reported was read, and nothing ever stalled',
  here,
  async (t) => {
    if (underAsan) return t.skip('it measures delays, which would be the sanitizer’s');
    const fifo = path.join(tempFolder(t), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const reader = spawn(process.execPath, [
      fileURLToPath(new URL('../../support/programs/drain.mjs', import.meta.url)),
      fifo,
    ]);
    const said = (async () => String(Buffer.concat(await reader.stdout.toArray())))();
    // Opening for both waits for nobody; the reader finds it then.
    const both = openSync(fifo, O_RDWR);
    const fd = openSync(fifo, O_WRONLY | O_NONBLOCK);
    await once(reader, 'spawn');

    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const never = new AbortController().signal;
    const source = randomBytes(40_000);
    const hash = createHash('sha256');
    let [written, full, partial] = [0, 0, 0];
    for (let made = 0; made < 100_000; ) {
      // Mostly a few hundred bytes; at times more than PIPE_BUF, of which a part may fit.
      const size = made % 100 === 0 ? 20_000 : 1 + (made % 512);
      const bytes = source.subarray(made % 20_000, (made % 20_000) + size);
      const result = uring.write(fd, bytes);
      if (result === EAGAIN) {
        full += 1;
        assert.ok(await waitForRoom(fd, performance.now() + 60_000, never), 'there is room within a minute');
        continue;
      }
      assert.ok(result > 0, `${result}`);
      hash.update(bytes.subarray(0, result));
      written += result;
      partial += Number(result < size);
      made += 1;
      if (made % 100 === 0) await turn();
    }
    delay.disable();
    closeSync(fd);
    closeSync(both);
    assert.deepEqual(JSON.parse(await said), { count: written, sha256: hash.digest('hex') });
    assert.ok(full > 100 && partial > 10, `${full} times full, ${partial} partial`);
    const worst = delay.max / 1e6;
    assert.ok(worst < 500, `the event loop stood still for ${worst} ms`);
    t.diagnostic(`${written} bytes, ${full} times full, ${partial} partial; longest turn ${worst.toFixed(0)} ms`);
  },
);

test('threads have rings of their own, and take them along when they end', here, async (t) => {
  const folder = tempFolder(t);
  const rings = (): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        // Ours has two entries; libuv's own, since 1.48, have many.
        return (
          readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[io_uring]' &&
          /^SqMask:\s*0x1$/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))
        );
      } catch {
        return false; // the descriptor by which the folder was read
      }
    }).length;
  assert.equal(rings(), 1);
  const script = `
    const { workerData, parentPort } = require('node:worker_threads');
    const fs = require('node:fs');
    const { levels } = require(workerData.module);
    const fd = fs.openSync(workerData.file, 'w');
    const results = new Set();
    for (let i = 0; i < 2000; i++)
      for (const id of ['uring', 'int80'])
        if (levels[id].available) results.add(levels[id].write(fd, Buffer.alloc(100, workerData.mark)));
    parentPort.postMessage([...results]);
    parentPort.once('message', () => process.exit());`;
  const marks = ['a', 'b', 'c', 'd'];
  const file = (mark: string): string => path.join(folder, mark);
  const module = path.join(ROOT, 'dist/syscalls/index.js');
  const workers = marks.map(
    (mark) => new Worker(script, { eval: true, workerData: { module, file: file(mark), mark } }),
  );
  for (const [results] of await Promise.all(workers.map((worker) => once(worker, 'message'))))
    assert.deepEqual(results, [100]);
  assert.equal(rings(), 1 + workers.length);
  for (const worker of workers) worker.postMessage('end');
  await Promise.all(workers.map((worker) => once(worker, 'exit')));
  assert.equal(rings(), 1);
  const calls = levels.int80.available ? 4000 : 2000;
  for (const mark of marks) assert.equal(readFileSync(file(mark), 'utf8'), mark.repeat(100 * calls));
});

test('the ring is closed in a child process', here, () => {
  assert.equal(uring.write(openSync('/dev/null', 'w'), Buffer.from('x')), 1);
  const links = execFileSync('sh', ['-c', 'ls -l /proc/self/fd'], { encoding: 'utf8' });
  assert.doesNotMatch(links, /io_uring/);
});

test('a seccomp filter forbids it: unavailable, with that reason, and the service lives', there, async (t) => {
  if (!need(t, CC)) return;
  const program = confine(t);
  const why = 'a seccomp filter or a security module forbids io_uring: io_uring_setup said EPERM';
  assert.deepEqual(tryLevel('uring', [program, 'uring=1']), [false, why, -38]);
  const service = await startService(t, { wrap: (command) => [program, 'uring=1', ...command] });
  const { status, detail } = await service.write({ level: 'uring', msg: 'x' });
  assert.deepEqual({ status, detail }, { status: 501, detail: `level 'uring' is not available here: ${why}` });
  const { levels: listed } = (await (await fetch(`${service.url}/levels`)).json()) as {
    levels: { id: string; available: boolean; reason: string | null }[];
  };
  const { available, reason } = listed.find(({ id }) => id === 'uring') ?? {};
  assert.deepEqual({ available, reason }, { available: false, reason: why });
  assert.equal((await service.write({ level: 'raw', msg: 'x' })).written, 1);
});

test('no io_uring, or one that cannot be entered: unavailable, with that reason', there, (t) => {
  if (!need(t, CC)) return;
  const program = confine(t);
  const hidden = 'the kernel has no io_uring, or a seccomp filter hides it: ';
  assert.deepEqual(tryLevel('uring', [program, 'uring=38']), [false, `${hidden}io_uring_setup said ENOSYS`, -38]);
  const forbidden = 'a seccomp filter or a security module forbids io_uring: ';
  // libuv since 1.48 ends a process that has a ring and may not enter it.
  const lives = spawnSync(program, ['enter=1', process.execPath, '-e', '']).status === 0;
  if (lives)
    assert.deepEqual(tryLevel('uring', [program, 'enter=1']), [false, `${forbidden}IORING_OP_WRITE said EPERM`, -38]);
  else t.diagnostic('this Node itself cannot do without io_uring_enter');
});

test('the sysctl forbids it: unavailable, with that reason', there, (t) => {
  if (!need(t, CC, { command: 'unshare', package: 'util-linux' })) return;
  if (!mayDo(t, 'make namespaces', 'unshare', '-rm', 'true')) return;
  // The sysctl is the machine's: a file is laid over it, in a mount namespace, and a filter says what it would say.
  const file = path.join(tempFolder(t), 'io_uring_disabled');
  writeFileSync(file, '2\n');
  const mount = `mount --bind ${file} /proc/sys/kernel/io_uring_disabled && exec "$@"`;
  const prefix = ['unshare', '-rm', 'sh', '-c', mount, 'sh', confine(t), 'uring=1'];
  const why = 'the sysctl kernel.io_uring_disabled is 2: io_uring_setup said EPERM';
  assert.deepEqual(tryLevel('uring', prefix), [false, why, -38]);
});

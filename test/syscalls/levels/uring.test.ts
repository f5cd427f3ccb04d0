// Tests level `uring`: a tracer sees no write, a write never waits for room, and a result belongs to its own write.
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
import { waitForRoom } from '../../../src/syscalls/targets/wait-for-room.js';
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

const hasAssembly = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
const onLinux = { skip: hasAssembly ? false : 'io_uring exists on Linux only' };
const ifAvailable = { skip: uring.available ? false : (uring.reason ?? false) };

test('uring is listed on other platforms with the reason why it is unavailable', async () => {
  for (const [platform, arch, expected] of [
    ['darwin', 'arm64', 'io_uring exists on Linux only; this is darwin'],
    ['linux', 'riscv64', 'no assembly for linux on riscv64 yet: native/arch/ has no file for it'],
  ] as const) {
    const { reason, code, number } = await levelOn('uring', platform, arch);
    assert.deepEqual({ reason, code, number }, { reason: expected, code: null, number: null });
  }
});

test('uring: the comment, the asm statement and the table of registers agree', onLinux, () => {
  const { via, number, registers } = uring;
  assert.ok(via.instruction && number && registers);
  checkComment(readFileSync(path.join(ROOT, `native/arch/linux-${process.arch}-syscall.cc`), 'utf8'), {
    instruction: via.instruction,
    number,
    registers,
  });
});

const onX64 = { skip: process.platform === 'linux' && process.arch === 'x64' ? false : 'for linux-x64' };

test('uring: the kernel changes only the documented registers', onX64, (t) => {
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
  const documented = new Set([number, result, ...clobbered.filter((name) => name !== 'memory')]);
  assert.deepEqual(new Set(changed), documented);
});

test('strace sees one io_uring_enter per call of uring, and no write', ifAvailable, (t) => {
  if (!need(t, STRACE)) return;
  const log = path.join(tempFolder(t), 'log');
  // Run the probe first. The writes of fs show that strace sees a write.
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
  // Node itself writes to its event descriptors, so count only writes to descriptor 1.
  const seen = between.match(/^.*(?:write\w*\(1,|io_uring_enter).*$/gm) ?? [];
  assert.equal(seen.length, 10, between);
  for (const line of seen) assert.match(line, /io_uring_enter\(\d+, 2, 2, IORING_ENTER_GETEVENTS, NULL, 0\) = 2$/);
});

/** Opens a file, and closes it at the end of the test. */
function open(t: TestContext, file: string, flags: number): number {
  const fd = openSync(file, flags);
  t.after(() => closeSync(fd));
  return fd;
}

test('uring differs from raw: a write of no bytes to a full device returns 0', ifAvailable, (t) => {
  for (const flags of [O_WRONLY, O_WRONLY | O_NONBLOCK]) {
    const fd = open(t, '/dev/full', flags);
    assert.deepEqual([uring.write(fd, Buffer.alloc(0)), levels.raw.write(fd, Buffer.alloc(0))], [0, ENOSPC]);
    for (let i = 0; i < 200; i++) assert.equal(uring.write(fd, Buffer.from('x')), ENOSPC);
  }
});

test('uring differs from raw: a write to a full FIFO is EAGAIN even without O_NONBLOCK', ifAvailable, (t) => {
  const { path: fifo, reader, writer } = openFifo(t);
  t.after(() => closeSync(writer));
  const nonBlocking = open(t, fifo, O_WRONLY | O_NONBLOCK);
  assert.equal(uring.write(writer, Buffer.alloc(100_000)), 65_536, 'the bytes that fit');
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

test(
  'uring differs from raw: a write to an epoll descriptor is EINVAL only with O_NONBLOCK, else EAGAIN',
  ifAvailable,
  (t) => {
    const fd = epollCreate(0);
    t.after(() => closeSync(fd));
    const x = Buffer.from('x');
    assert.deepEqual([uring.write(fd, x), levels.raw.write(fd, x)], [EAGAIN, EINVAL]);
    fcntl(fd, F_SETFL, 'int', O_NONBLOCK);
    assert.deepEqual([uring.write(fd, x), levels.raw.write(fd, x)], [EINVAL, EINVAL]);
  },
);

test('uring writes eight bytes to an event descriptor, and returns EAGAIN when it is full', ifAvailable, (t) => {
  const fd = eventfd(0, O_NONBLOCK);
  t.after(() => closeSync(fd));
  const most = Buffer.from(BigUint64Array.of(0xfffffffffffffffen).buffer);
  const one = Buffer.from(BigUint64Array.of(1n).buffer);
  assert.deepEqual(
    [uring.write(fd, Buffer.alloc(3)), uring.write(fd, most), uring.write(fd, one), levels.raw.write(fd, one)],
    [EINVAL, 8, EAGAIN, EAGAIN],
  );
});

test('uring writes to a descriptor whose number changes between a FIFO and a file', ifAvailable, (t) => {
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
  assert.equal(numbers.size, 1, 'the descriptor had the same number each time');
});

test('a failed io_uring_enter leaves no entry behind for the next call', ifAvailable, (t) => {
  if (!need(t, STRACE)) return;
  const out = path.join(tempFolder(t), 'out');
  for (const [error, errno] of [
    ['EBUSY', -16],
    ['EINTR', -4],
    ['ENOMEM', -12],
  ] as const) {
    // The first io_uring_enter is the probe's, the second writes 'one'.
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

test('uring returns each call’s own result while signals interrupt io_uring_enter', ifAvailable, (t) => {
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
  'a slow reader of a FIFO gets every byte that 100,000 writes of uring report, and no write blocks',
  ifAvailable,
  async (t) => {
    if (underAsan) return t.skip('this test measures delays, and the sanitizer adds its own');
    const fifo = path.join(tempFolder(t), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const reader = spawn(process.execPath, [
      fileURLToPath(new URL('../../support/programs/drain.mjs', import.meta.url)),
      fifo,
    ]);
    const report = (async () => String(Buffer.concat(await reader.stdout.toArray())))();
    // O_RDWR does not wait for the other end. The open of the reader then finds a writer: fifo(7).
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
      // Mostly up to 512 bytes. Every hundredth write has more than PIPE_BUF bytes, so that it may be partial.
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
    assert.deepEqual(JSON.parse(await report), { count: written, sha256: hash.digest('hex') });
    assert.ok(full > 100 && partial > 10, `${full} times full, ${partial} partial`);
    const worst = delay.max / 1e6;
    assert.ok(worst < 500, `the event loop was blocked for ${worst} ms`);
    t.diagnostic(`${written} bytes, ${full} times full, ${partial} partial; longest turn ${worst.toFixed(0)} ms`);
  },
);

test('each thread has its own ring, which is closed when the thread ends', ifAvailable, async (t) => {
  const folder = tempFolder(t);
  const rings = (): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        // Count rings of two entries, which are ours. Those of libuv (since 1.48) have more.
        return (
          readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[io_uring]' &&
          /^SqMask:\s*0x1$/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))
        );
      } catch {
        return false; // the descriptor that read the folder is closed by now
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

test('a child process does not inherit the ring', ifAvailable, () => {
  assert.equal(uring.write(openSync('/dev/null', 'w'), Buffer.from('x')), 1);
  const links = execFileSync('sh', ['-c', 'ls -l /proc/self/fd'], { encoding: 'utf8' });
  assert.doesNotMatch(links, /io_uring/);
});

test(
  'uring is unavailable under a seccomp filter that forbids it, and the service keeps running',
  onLinux,
  async (t) => {
    if (!need(t, CC)) return;
    const program = confine(t);
    const why = 'a seccomp filter or a security module forbids io_uring: io_uring_setup failed with EPERM';
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
  },
);

test('uring is unavailable where io_uring does not exist, or io_uring_enter is forbidden', onLinux, (t) => {
  if (!need(t, CC)) return;
  const program = confine(t);
  const hidden = 'the kernel has no io_uring, or a seccomp filter hides it: ';
  assert.deepEqual(tryLevel('uring', [program, 'uring=38']), [
    false,
    `${hidden}io_uring_setup failed with ENOSYS`,
    -38,
  ]);
  const forbidden = 'a seccomp filter or a security module forbids io_uring: ';
  // libuv since 1.48 ends the process if it can open a ring and io_uring_enter fails.
  const nodeSurvives = spawnSync(program, ['enter=1', process.execPath, '-e', '']).status === 0;
  if (nodeSurvives)
    assert.deepEqual(tryLevel('uring', [program, 'enter=1']), [
      false,
      `${forbidden}IORING_OP_WRITE failed with EPERM`,
      -38,
    ]);
  else t.diagnostic('skipped in part: this Node itself does not run without io_uring_enter');
});

test('uring is unavailable when the sysctl kernel.io_uring_disabled forbids it', onLinux, (t) => {
  if (!need(t, CC, { command: 'unshare', package: 'util-linux' })) return;
  if (!mayDo(t, 'make namespaces', 'unshare', '-rm', 'true')) return;
  // The sysctl is global, so the test does not change it. A mount namespace shows a file in its place, and a seccomp
  // filter returns the error that the kernel would return.
  const file = path.join(tempFolder(t), 'io_uring_disabled');
  writeFileSync(file, '2\n');
  const mount = `mount --bind ${file} /proc/sys/kernel/io_uring_disabled && exec "$@"`;
  const prefix = ['unshare', '-rm', 'sh', '-c', mount, 'sh', confine(t), 'uring=1'];
  const why = 'the sysctl kernel.io_uring_disabled is 2: io_uring_setup failed with EPERM';
  assert.deepEqual(tryLevel('uring', prefix), [false, why, -38]);
});

// Tests level `int80`: the interrupt, the copy of the bytes, and the probe that runs before the first use.
import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { levels } from '../../../src/syscalls/index.js';
import { int80 } from '../../../src/syscalls/levels/int80.js';
import { PROGRAMS, registered, run } from '../../support/native.js';
import { CC, checkComment, confine, levelOn, runScript, STRACE, tryLevel } from '../../support/outside.js';
import { ROOT, startService, tempFolder } from '../../support/service.js';
import { parseStrace } from '../../support/strace.js';
import { need, underAsan } from '../../support/tools.js';

const onLinuxX64 = {
  skip: process.platform === 'linux' && process.arch === 'x64' ? false : 'int $0x80 exists on Linux x86-64 only',
};
const ifAvailable = { skip: int80.available ? false : (int80.reason ?? false) };

test('int80 is listed on other platforms with the reason why it is unavailable', async () => {
  for (const [platform, arch] of [
    ['linux', 'arm64'],
    ['darwin', 'x64'],
    ['win32', 'x64'],
  ] as const) {
    const { reason, code, number, registers } = await levelOn('int80', platform, arch);
    assert.equal(reason, `int $0x80 exists on Linux x86-64 only; this is ${platform} on ${arch}`);
    assert.deepEqual({ code, number, registers }, { code: null, number: null, registers: null });
  }
});

test('int80: the comment, the asm statement and the table of registers agree', onLinuxX64, () => {
  const { via, number, registers } = int80;
  assert.ok(via.instruction && number && registers);
  checkComment(readFileSync(path.join(ROOT, 'native/int80.cc'), 'utf8'), {
    instruction: via.instruction,
    number,
    registers,
  });
});

test('int80: the kernel changes only the documented registers, and ignores the upper halves', ifAvailable, (t) => {
  if (!need(t, { command: 'g++', package: 'g++' })) return;
  const folder = tempFolder(t);
  writeFileSync(path.join(folder, 'code.bin'), int80.code ?? '');
  const probe = path.join(folder, 'registers');
  // Without position-independent code, the text lies below 4 GiB, so that ecx can hold its address.
  const flags = ['-no-pie', '-fno-pie', '-O2', `-Wa,-I,${folder}`];
  run('g++', [...flags, '-o', probe, path.join(PROGRAMS, 'registers.cc')]);
  // registers.cc has the names of the 64-bit registers.
  const to64Bit = (name: string): string => name.replace(/^e/, 'r');
  const { number, arguments: names, result, clobbered } = int80.registers as NonNullable<typeof int80.registers>;
  const upper = 0xdeadbeefn << 32n;
  for (const [fd, expected] of [
    [1n, 9n],
    [99n, -9n],
    [0x7ffffffen, -9n],
    [0xffffffffn, -9n],
    [upper | 1n, 9n],
  ] as const) {
    const values = [`${fd}`, 'text', `${upper | 9n}`];
    const text = run(
      probe,
      names.map((name, at) => `${to64Bit(name)}=${values[at]}`),
    );
    assert.equal(text.startsWith('registers'), expected > 0n);
    const { changed, after } = registered(text.replace(/^registers/, ''));
    assert.equal(BigInt.asIntN(32, after.get(to64Bit(result)) ?? 0n), expected);
    const documented = [number, result, ...clobbered].map(to64Bit);
    assert.deepEqual(
      changed.filter((name) => !documented.includes(name)),
      [],
    );
  }
});

test('int80 writes bytes of any length and address in one call', ifAvailable, (t) => {
  const file = path.join(tempFolder(t), 'out');
  const fd = openSync(file, 'w');
  t.after(() => closeSync(fd));
  const bytes = Buffer.from(Uint32Array.from({ length: 1 << 20 }, (_, at) => at * 2654435761).buffer);
  bytes.fill(0, 1 << 21, 3 << 20);
  // The lengths around 1 MiB, which is the size of the buffer below 4 GiB.
  const MIB = 1 << 20;
  const ranges = [
    [0, 0],
    [1, 2],
    [3, 4100],
    [0, MIB],
    [7, MIB + 7],
    [1, MIB + 2],
    [0, 4 * MIB],
    [5, 3 * MIB + 4097],
  ];
  const expected = ranges.map(([from, to]) => bytes.subarray(from, to));
  for (const part of expected) assert.equal(int80.write(fd, part), part.length);
  assert.ok(readFileSync(file).equals(Buffer.concat(expected)));
});

test('int80 does not copy pages of zeros: a sparse gigabyte does not use a gigabyte of memory', ifAvailable, (t) => {
  if (underAsan) return t.skip('AddressSanitizer leaves no memory for a copy of a gigabyte');
  const results: number[] = [];
  // By chance, a page of V8's may leave no room for the copy. This is very unlikely in three processes.
  while (results.length < 3 && !results.includes(2 ** 30 + 1)) {
    const { stdout, stderr } = runScript(`
      const fd = fs.openSync('/dev/null', 'w');
      const before = process.resourceUsage().maxRSS;
      const result = levels.int80.write(fd, new Uint8Array(2 ** 30 + 1));
      fs.writeSync(1, JSON.stringify([result, process.resourceUsage().maxRSS - before < 100_000]));`);
    const [result, isSmall] = JSON.parse(stdout || '[]');
    assert.ok(isSmall, stdout + stderr);
    if (result !== 2 ** 30 + 1) assert.equal(result, -constants.errno.ENOMEM);
    results.push(result);
  }
  assert.equal(results.at(-1), 2 ** 30 + 1);
});

test('int80 returns the same as raw for invalid descriptors', ifAvailable, () => {
  for (const fd of [-1, -2, -(2 ** 31), 2 ** 31 - 1, 2 ** 31 - 2, 1 << 20])
    for (const bytes of [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(2 << 20)])
      assert.equal(int80.write(fd, bytes), levels.raw.write(fd, bytes), `${fd}`);
});

test('int80 runs its probe once, at the first use, in a child process that does not remain', onLinuxX64, (t) => {
  if (!need(t, STRACE)) return;
  const log = path.join(tempFolder(t), 'log');
  const calls = (script: string): string[] => {
    const { status, stderr } = runScript(script, ['strace', '-f', '-e', 'trace=clone,io_uring_setup', '-o', log]);
    assert.equal(status, 0, stderr);
    return readFileSync(log, 'utf8').match(/(clone\(child_stack=NULL, flags=0|io_uring_setup)/g) ?? [];
  };
  // libuv opens rings of its own since version 1.48.
  const own = calls('');
  assert.ok(own.every((call) => call === 'io_uring_setup'));
  assert.deepEqual(calls('levels.raw.write(2, Buffer.from(""));'), own);
  const first = calls('for (let i = 0; i < 3; i++) levels.int80.available && levels.int80.write(2, Buffer.alloc(0))');
  assert.deepEqual(first.toSorted(), ['clone(child_stack=NULL, flags=0', ...own]);
  const children = readdirSync('/proc/self/task').map((id) => readFileSync(`/proc/self/task/${id}/children`, 'utf8'));
  const zombies = children
    .flatMap((list) => list.split(' ').filter(Boolean))
    .filter((pid) => /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
  assert.deepEqual(zombies, []);
});

test('strace sees two 32-bit writes of int80: the probe’s to descriptor -1, and the call', ifAvailable, (t) => {
  if (!need(t, STRACE)) return;
  const log = path.join(tempFolder(t), 'log');
  const strace = ['strace', '-f', '-xx', '-e', 'trace=write@32', '-o', log];
  const { status, stdout, stderr } = runScript(`levels.int80.write(1, Buffer.from('by int80'))`, strace);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: 'by int80' }, stderr);
  const writes = parseStrace(readFileSync(log, 'utf8'));
  assert.deepEqual(
    writes.map(({ fd, bytes, count, result }) => [fd, String(bytes), count, result]),
    [
      [-1, '', 0, -9],
      [1, 'by int80', 8, 8],
    ],
  );
  // strace prints this line on stderr, which may be the file of the trace.
  assert.deepEqual(parseStrace('strace: [ Process PID=123 runs in 32 bit mode. ]\n'), []);
});

/** The kernel ends the process at the interrupt: no filter is asked. */
const hasNoEmulation = int80.reason?.includes('no 32-bit emulation') ?? false;

test(
  'int80 is unavailable under a seccomp filter that kills 32-bit calls, and the service keeps running',
  onLinuxX64,
  async (t) => {
    if (hasNoEmulation) return t.skip(int80.reason as string);
    if (!need(t, CC)) return;
    const program = confine(t);
    const why = 'a seccomp filter kills 32-bit system calls: int $0x80 ends in SIGSYS';
    assert.deepEqual(tryLevel('int80', [program, 'int80=kill']), [false, why, -38]);
    const service = await startService(t, { wrap: (command) => [program, 'int80=kill', ...command] });
    const { status, detail } = await service.write({ level: 'int80', msg: 'x' });
    assert.deepEqual({ status, detail }, { status: 501, detail: `level 'int80' is not available here: ${why}` });
    assert.equal((await service.write({ level: 'raw', msg: 'x' })).written, 1);
  },
);

test('int80 is unavailable under a seccomp filter that answers 32-bit calls itself', onLinuxX64, (t) => {
  if (hasNoEmulation) return t.skip(int80.reason as string);
  if (!need(t, CC)) return;
  const program = confine(t);
  const why = (code: string): string =>
    `int $0x80 returns ${code} instead of EBADF: a seccomp filter answers it, or this is not a Linux kernel`;
  assert.deepEqual(tryLevel('int80', [program, 'int80=1']), [false, why('EPERM'), -38]);
  assert.deepEqual(tryLevel('int80', [program, 'int80=0']), [false, why('0'), -38]);
});

test('int80 is unavailable on a kernel without 32-bit emulation, which sends SIGSEGV', onLinuxX64, (t) => {
  if (!need(t, STRACE)) return;
  // strace sends SIGSEGV at the 32-bit write, as such a kernel does at the interrupt.
  const log = path.join(tempFolder(t), 'log');
  const strace = ['strace', '-f', '-o', log, '-e', 'inject=write@32:signal=SEGV'];
  const why = 'the kernel has no 32-bit emulation: int $0x80 ends in SIGSEGV';
  assert.deepEqual(tryLevel('int80', strace), [false, why, -38]);
  const trace = readFileSync(log, 'latin1');
  const [, pid] = /^(\d+) +--- SIGSEGV/m.exec(trace) ?? [];
  const after = trace.split('--- SIGSEGV')[1]?.match(new RegExp(`^${pid} .*`, 'gm')) ?? [];
  assert.equal(after.length, 1, 'the child ran no handler of Node’s');
  assert.match(after[0] ?? '', /killed by SIGSEGV \+\+\+$/, 'the child wrote no core file');
});

test('int80 is unavailable when its probe cannot start a child process', onLinuxX64, (t) => {
  if (!need(t, STRACE)) return;
  const log = path.join(tempFolder(t), 'log');
  const trace = ['strace', '-f', '-o', log, '-e', 'trace=clone'];
  tryLevel('int80', trace);
  // Where clone3 is forbidden, as in a container, clone makes the threads too. Let those before the probe succeed.
  const threads =
    readFileSync(log, 'utf8')
      .split('clone(child_stack=NULL')[0]
      ?.match(/clone\(/g)?.length ?? 0;
  const strace = [...trace, '-e', `inject=clone:error=EAGAIN:when=${threads + 1}+`];
  const why = 'int $0x80 could not be tried in a child process: clone failed with EAGAIN';
  assert.deepEqual(tryLevel('int80', strace), [false, why, -38]);
});

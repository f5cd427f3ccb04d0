// The library's witness: what it lists of each level, what it refuses, and why it may not be available.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writevSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { MessageChannel, Worker } from 'node:worker_threads';
import { PREVIEW_BYTES } from '../../../src/protocol/limits.js';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import { addonPath } from '../../../src/syscalls/bindings/addon.js';
import {
  levels,
  type SystemCall,
  verdictOf,
  witness,
  witnessAvailability,
  witnessWrite,
} from '../../../src/syscalls/index.js';
import { openTarget } from '../../../src/syscalls/targets/target.js';
import { BINUTILS, PROGRAMS, run } from '../../support/native.js';
import { openFifo, ROOT, tempFolder } from '../../support/service.js';
import { need, underAsan } from '../../support/tools.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
const { reason } = witnessAvailability();
const here = { skip: reason ?? false };
const hello = Buffer.from('hello');

/** The calls with which levels write. V8 may make others meanwhile. */
const writesOf = ({ systemCalls }: { systemCalls: SystemCall[] }): SystemCall[] =>
  systemCalls.filter(({ name }) => name === 'write' || name === 'io_uring_enter');

const names = (calls: SystemCall[]): string[] => calls.map(({ name }) => name);

test('Linux on x86-64 has a witness, or the reason names what is missing', () => {
  if (process.platform === 'linux' && process.arch === 'x64' && reason !== null) assert.match(reason, /prctl/);
  if (process.platform !== 'linux' || process.arch !== 'x64') assert.match(reason ?? '', /needs Linux on x86-64/);
});

for (const id of LEVELS) {
  const isUring = id === 'uring';

  test(`${id}: the list of one write`, here, (t) => {
    const fd = openSync('/dev/null', 'w');
    t.after(() => closeSync(fd));
    // The second time, uring has its ring and knows that this is no file.
    witnessWrite(levels[id], fd, hello);
    const { result, report } = witnessWrite(levels[id], fd, hello);
    const [call, ...others] = writesOf(report) as [SystemCall, ...SystemCall[]];
    assert.deepEqual([result, others, report.verdict], [5, [], 'agrees']);
    assert.deepEqual([report.complete, report.dropped], [true, 0]);
    assert.deepEqual(
      [call.abi, call.number, call.name, call.error, call.preview],
      [
        id === 'int80' ? 'i386' : 'x86-64',
        levels[id].number ?? 1,
        isUring ? 'io_uring_enter' : 'write',
        null,
        isUring ? null : 'hello',
      ],
    );
    if (!isUring) assert.deepEqual([call.arguments[0], call.arguments[2], call.result], [fd, 5, 5]);
    assert.equal(call.origin.isLevel, true);
    if (levels[id].code && levels[id].via.file === addonPath()) {
      const { code, via } = levels[id];
      assert.equal(BigInt(call.origin.address), BigInt(via.address ?? 0) + BigInt(code.length - 2));
      assert.equal(call.origin.file, addonPath());
    } else assert.match(call.origin.file ?? '', /libc\.so|ld-musl|node$/);
  });

  test(`${id}: objdump finds the instruction at the origin's offset`, here, (t) => {
    if (!need(t, ...BINUTILS)) return;
    const { origin = assert.fail() } = writesOf(witnessWrite(levels[id], 2 ** 31 - 1, hello).report).at(-1) ?? {};
    const [from, to] = [origin.offset ?? 0, (origin.offset ?? 0) + 2];
    const text = run('objdump', ['-d', `--start-address=${from}`, `--stop-address=${to}`, origin.file ?? '']);
    assert.match(text, id === 'int80' ? /int\s+\$0x80/ : /syscall/);
  });

  test(`${id}: the error of the kernel`, here, (t) => {
    const target = openTarget('full', '/dev/full');
    t.after(() => target.close());
    const { result, report } = witnessWrite(levels[id], target.fd, hello);
    assert.deepEqual([result, report.verdict], [-28, 'agrees']);
    if (isUring) return;
    const [{ error, preview, result: returned } = assert.fail()] = writesOf(report);
    assert.deepEqual([error?.code, preview, returned], ['ENOSPC', null, -28]);
  });

  test(`${id}: a write that the kernel takes in part`, here, (t) => {
    const { writer, path: fifo } = openFifo(t);
    closeSync(writer);
    const target = openTarget('fifo', fifo);
    t.after(() => target.close());
    const { result, report } = witnessWrite(levels[id], target.fd, Buffer.alloc(100_000, 'é'));
    assert.deepEqual([result, report.verdict], [65_536, 'agrees']);
    if (isUring) return;
    const writes = writesOf(report);
    assert.deepEqual(
      writes.map((call) => call.result),
      id === 'std' ? [65_536, -11] : [65_536],
    );
    assert.equal(writes[0]?.preview, 'é'.repeat(PREVIEW_BYTES / 2));
  });
}

test('the bytes of a write at a bad address are not read', here, () => {
  const script = `
    const { WRITE_FROM } = await import('${ROOT}/src/syscalls/hostile.ts');
    const { levels, witness } = await import('${ROOT}/src/syscalls/index.ts');
    for (const id of ['raw', 'int80', 'os']) {
      if (!levels[id].available) continue;
      const { result, systemCalls } = witness(() => WRITE_FROM[id]?.(1, 16n, 5n), { limit: 200 });
      console.log(result, systemCalls.filter(({ name }) => name === 'write').map(({ preview }) => preview));
    }`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.deepEqual([status, stdout], [0, '-14 [ null ]\n'.repeat(levels.int80.available ? 3 : 2)]);
});

test('only the limit is kept, and the calls beyond it are counted', here, () => {
  const many = () => {
    for (let i = 0; i < 300; i++) levels.raw.write(-1, hello);
  };
  for (const limit of [1, 64, 256]) {
    const { systemCalls, dropped } = witness(many, { limit });
    assert.equal(systemCalls.length, limit);
    assert.ok(dropped >= 300 - limit && dropped < 320 - limit, `${dropped} dropped`);
  }
  assert.equal(witness(many).systemCalls.length, 64);
  const one = witness(() => levels.raw.write(-1, hello));
  assert.deepEqual([writesOf(one).length, one.dropped], [1, 0]);
});

test('a register that no number can hold is in hexadecimal', here, async () => {
  const { WRITE_FROM } = await import('../../../src/syscalls/hostile.js');
  const [write] = writesOf(witness(() => WRITE_FROM.raw?.(-1, 0n, 1n << 62n)));
  assert.deepEqual(write?.arguments.slice(1, 3), [0, '0x4000000000000000']);
  assert.ok(JSON.stringify(write).includes('"0x4000000000000000"'));
});

test('other calls have their own names, and do not come from a level', here, (t) => {
  const fd = openSync(path.join(tempFolder(t), 'out'), 'w');
  t.after(() => closeSync(fd));
  const { systemCalls } = witness(() => writevSync(fd, [hello, hello]), { level: 'raw' });
  const call = systemCalls.find(({ name }) => name === 'writev');
  assert.deepEqual([call?.result, call?.origin.isLevel], [10, false]);
});

test('the verdict does not count a write that wakes an event loop', here, (t) => {
  const { port1, port2 } = new MessageChannel();
  t.after(() => port1.close());
  port2.on('message', () => {}); // an open port has an event loop to wake
  const { result, ...list } = witness(() => {
    port1.postMessage('x');
    return levels.raw.write(-1, hello);
  });
  assert.ok(writesOf(list).length > 1);
  assert.equal(verdictOf({ level: 'raw', fd: -1, requested: 5, result }, list), 'agrees');
});

test('a thread or a process that is started ends the list', here, async () => {
  const { systemCalls, complete, result } = witness(() => new Worker('', { eval: true }), { limit: 256 });
  assert.match(names(systemCalls).at(-1) ?? '', /^clone/);
  assert.deepEqual([complete, systemCalls.at(-1)?.result], [false, null]);
  await new Promise((resolve) => result.once('exit', resolve));
  const child = witness(() => spawnSync('true').status, { limit: 256 });
  assert.deepEqual([child.result, child.complete], [0, false]);
  assert.match(names(child.systemCalls).at(-1) ?? '', /clone|fork/);
});

test('what the callback throws is thrown, and the next list is whole', here, () => {
  const thrown = new Error('mine');
  const fails = () => {
    levels.raw.write(-1, hello);
    throw thrown;
  };
  assert.throws(
    () => witness(fails),
    (error) => error === thrown,
  );
  assert.equal(writesOf(witness(() => levels.raw.write(-1, hello))).length, 1);
});

const REFUSED: [string, () => unknown, RegExp][] = [
  ['an async function', () => witness(async () => 1), /^TypeError: .*give it a callback that is not async/],
  ['a promise', () => witness(() => Promise.resolve(1)), /^TypeError: .*give it a callback that is not async/],
  ['no function', () => witness(1 as never), /^TypeError: callback must be a function: 1/],
  ['a limit of 0', () => witness(() => 1, { limit: 0 }), /^TypeError: limit must be a whole number from 1 to 256: 0/],
  ['a limit of 257', () => witness(() => 1, { limit: 257 }), /^TypeError: limit .*: 257/],
  ['a limit of 1.5', () => witness(() => 1, { limit: 1.5 }), /^TypeError: limit .*: 1.5/],
  ['a witness in a witness', () => witness(() => witness(() => 1)), /one is running in this thread already/],
];

for (const [name, call, says] of REFUSED)
  test(`a witness refuses ${name}`, here, () => {
    assert.throws(call, (error) => says.test(String(error)));
    assert.equal(writesOf(witness(() => levels.raw.write(-1, hello))).length, 1);
  });

test('a process that handles SIGSYS itself has no witness until the handler is gone', here, () => {
  const handler = (): void => {};
  process.on('SIGSYS', handler);
  try {
    assert.deepEqual(witnessAvailability(), {
      available: false,
      reason: 'this process handles SIGSYS itself: remove that handler first',
    });
    let calls = 0;
    assert.throws(() => witness(() => calls++), /not available: this process handles SIGSYS itself/);
    assert.equal(calls, 0);
  } finally {
    process.off('SIGSYS', handler);
  }
  assert.deepEqual(witnessAvailability(), { available: true, reason: null });
});

/** Runs the library in another process. @returns why it has no witness, and the result of a write at `raw` */
function elsewhere(prefix: string[]): unknown {
  const script = `
    const { levels, witnessAvailability } = await import('${ROOT}/dist/syscalls/index.js');
    const { reason } = witnessAvailability();
    console.log(JSON.stringify({ reason, raw: levels.raw.write(-1, Buffer.from('x')) }));`;
  const [command = '', ...args] = [...prefix, process.execPath, '--input-type=module', '-e', script];
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 60_000 });
  assert.match(stdout, /^\{.*\}\n$/, stderr);
  return JSON.parse(stdout);
}

test('a seccomp filter that forbids prctl: no witness, and the levels work', here, (t) => {
  if (!need(t, { command: 'cc', package: 'gcc' })) return;
  const confine = path.join(tempFolder(t), 'confine');
  execFileSync('cc', ['-o', confine, path.join(PROGRAMS, 'confine.c')]);
  assert.deepEqual(elsewhere([confine, 'dispatch=1']), {
    reason: 'a seccomp filter or the kernel forbids it: prctl failed with EPERM',
    raw: -9,
  });
});

test('gVisor: no witness, and the levels work', (t) => {
  if (underAsan) return t.skip('the sanitizer has no memory there');
  if (process.platform !== 'linux' || process.arch !== 'x64') return t.skip('for Linux on x86-64');
  const runsc = ['runsc', '--network=none', '--platform=ptrace', '--ignore-cgroups', 'do'];
  if (spawnSync('runsc', [...runsc.slice(1), 'true'], { timeout: 20_000 }).status !== 0)
    return t.skip('needs runsc, and may not run it here');
  assert.deepEqual(elsewhere(runsc), {
    reason:
      'the kernel has no Syscall User Dispatch (prctl failed with EINVAL): Linux has it since 5.11; gVisor and qemu-user do not',
    raw: -9,
  });
});

test('qemu-user: no witness, and the levels work', (t) => {
  if (underAsan) return t.skip('the sanitizer has no memory there');
  if (process.platform !== 'linux' || process.arch !== 'x64') return t.skip('for Linux on x86-64');
  if (!need(t, { command: 'qemu-x86_64', package: 'qemu-user' })) return;
  assert.deepEqual(elsewhere(['qemu-x86_64']), {
    reason:
      'the kernel has no Syscall User Dispatch (prctl failed with EINVAL): Linux has it since 5.11; gVisor and qemu-user do not',
    raw: -9,
  });
});

test('valgrind: no witness, and the levels work', here, (t) => {
  if (underAsan) return t.skip('the sanitizer does not run there');
  if (!need(t, { command: 'valgrind', package: 'valgrind' })) return;
  assert.deepEqual(elsewhere(['valgrind', '--tool=none', '--quiet']), {
    reason: 'valgrind runs this process, and makes the system calls itself',
    raw: -9,
  });
});

test('an LD_PRELOAD library that makes the call itself is a finding', here, (t) => {
  if (underAsan) return t.skip('the sanitizer has to be preloaded first');
  if (!need(t, { command: 'cc', package: 'gcc' })) return;
  const folder = tempFolder(t);
  const [shim, out] = [path.join(folder, 'shim.so'), path.join(folder, 'out')];
  execFileSync('cc', ['-shared', '-fPIC', '-o', shim, path.join(PROGRAMS, 'shim.c')]);
  const script = `
    const { levels, witnessWrite } = await import('${ROOT}/dist/syscalls/index.js');
    const fd = (await import('node:fs')).openSync('${out}', 'w');
    const verdicts = ['raw', 'os'].map((id) => witnessWrite(levels[id], fd, Buffer.from('hello')).report.verdict);
    (await import('node:fs')).writevSync(1, [JSON.stringify(verdicts), ' '].map((text) => Buffer.from(text)));`;
  // By a name without its folder, as the executable has one, too.
  const { stdout, stderr } = spawnSync('node', ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    cwd: folder,
    env: { ...process.env, LD_PRELOAD: './shim.so', PATH: path.dirname(process.execPath) },
  });
  assert.match(stdout, /^\["agrees","write came from shim\.so\+0x[\da-f]+ \(write\), not from libc"\]/, stderr);
  assert.equal(readFileSync(out, 'latin1'), 'hellohell');
});

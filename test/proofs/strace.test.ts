// strace as the outside witness of the service: what a record says is what the kernel was asked.
import assert from 'node:assert/strict';
import { closeSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { LEVEL_IDS } from '../../src/protocol/names.js';
import { levels } from '../../src/syscalls/index.js';
import { openFifo, read, type Service, startService, tempFolder } from '../support/service.js';
import { parseStrace, type TracedWrite } from '../support/strace.js';
import { need } from '../support/tools.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
/** Those whose write strace sees; io_uring's it does not. */
const SEEN = LEVELS.filter((id) => levels[id].seenBy?.strace);
const STRACE = { command: 'strace', package: 'strace' };

type Traced = { service: Service; trace: () => TracedWrite[] };

/** The service under strace; more flags may inject faults, `-P path` limits both to one file. */
async function traced(t: TestContext, args: string[], flags: string[] = []): Promise<Traced> {
  const file = path.join(tempFolder(t), 'trace');
  const strace = ['strace', '-f', '-xx', '-s', '4194304', '-e', 'trace=write', '-o', file, ...flags];
  const service = await startService(t, { args, wrap: (command) => [...strace, ...command] });
  return { service, trace: () => parseStrace(readFileSync(file, 'utf8')) };
}

test('every call but by io_uring is one write with exactly those bytes, on the descriptor and with the result of its record', async (t) => {
  if (!need(t, STRACE)) return;
  const out = path.join(tempFolder(t), 'out');
  const { service, trace } = await traced(t, ['--target', `out=${out}`]);
  const messages = ['Hello world from interrupt!\n', '', 'Grüße, 世界 🌍', 'x'.repeat(100_000)];
  const sent: Buffer[] = [];
  for (const level of LEVELS) {
    for (const target of ['out', 'full']) {
      for (const msg of messages) {
        await service.write({ level, target, msg });
        if (SEEN.includes(level)) sent.push(Buffer.from(msg));
      }
    }
  }
  const records = await service.records();
  assert.equal(await service.stop(), 0);
  const fds = new Set(records.map(({ fd }) => fd));
  const writes = trace().filter(({ fd }) => fds.has(fd));
  assert.equal(records.length, LEVELS.length * 2 * messages.length);
  const seen = records.filter(({ level }) => SEEN.includes(level));
  const told = seen.map(({ fd, requested, written, error }) => ({
    fd,
    count: requested,
    result: error ? -error.errno : written,
  }));
  assert.deepEqual(
    writes.map(({ fd, count, result }) => ({ fd, count, result })),
    told,
  );
  for (const [index, { bytes }] of writes.entries()) assert.deepEqual(bytes, sent[index]);
  t.diagnostic(`${writes.length} writes seen, ${SEEN.length} levels × 2 targets × ${messages.length} messages`);
});

test('where the levels differ: a partial write is one call at raw, int80 and os, none that is seen at uring, and two at std, whose second is swallowed', async (t) => {
  if (!need(t, STRACE)) return;
  for (const [level, expected] of [
    ['raw', [65_536]],
    ['int80', [65_536]],
    ['uring', []],
    ['os', [65_536]],
    ['std', [65_536, -11]],
  ] as const) {
    if (!LEVELS.includes(level)) continue;
    const { path: fifo, writer, reader } = openFifo(t);
    const { service, trace } = await traced(t, ['--target', `pipe=${fifo}`], ['-P', fifo]);
    closeSync(writer);
    const { written, error } = await service.write({ level, target: 'pipe', msg: 'x'.repeat(100_000) });
    assert.deepEqual({ written, error }, { written: 65_536, error: null });
    await service.stop();
    assert.deepEqual(
      trace().map(({ result }) => result),
      expected,
      level,
    );
    reader.destroy();
  }
});

for (const [code, errno] of [
  ['EIO', 5],
  ['ENOSPC', 28],
  ['EPERM', 1],
  ['EDQUOT', 122],
] as const) {
  test(`an injected ${code} comes back as such, at every level that strace sees, and only where it was injected`, async (t) => {
    if (!need(t, STRACE)) return;
    const out = path.join(tempFolder(t), 'out');
    // Every second write to that file.
    const { service, trace } = await traced(
      t,
      ['--target', `out=${out}`],
      ['-P', out, '-e', `inject=write:error=${code}:when=2+2`],
    );
    for (const level of SEEN) {
      const spared = await service.write({ level, target: 'out', msg: 'spared' });
      assert.deepEqual({ written: spared.written, error: spared.error }, { written: 6, error: null });
      const struck = await service.write({ level, target: 'out', msg: 'struck' });
      assert.deepEqual(
        { written: struck.written, code: struck.error?.code, errno: struck.error?.errno },
        { written: 0, code, errno },
      );
    }
    const unseen = LEVELS.filter((level) => !SEEN.includes(level));
    for (const level of [...unseen, ...unseen]) {
      const { written, error } = await service.write({ level, target: 'out', msg: 'unseen' });
      assert.deepEqual({ written, error }, { written: 6, error: null });
    }
    await service.stop();
    assert.deepEqual(
      trace().map(({ injected }) => injected),
      SEEN.flatMap(() => [false, true]),
    );
    assert.equal(readFileSync(out, 'utf8'), 'spared'.repeat(SEEN.length) + 'unseen'.repeat(2 * unseen.length));
  });
}

test('an injected EINTR: raw, os and int80 say so, std tries again, and uring never meets it', async (t) => {
  if (!need(t, STRACE)) return;
  for (const level of LEVELS) {
    const out = path.join(tempFolder(t), 'out');
    const flags = ['-P', out, '-e', 'inject=write:error=EINTR:when=1'];
    const { service, trace } = await traced(t, ['--target', `out=${out}`], flags);
    const { written, error } = await service.write({ level, target: 'out', msg: 'struck' });
    await service.stop();
    const results = trace().map(({ result }) => result);
    if (!SEEN.includes(level)) assert.deepEqual([written, error, results], [6, null, []], level);
    else if (level === 'std') assert.deepEqual([written, error, results], [6, null, [-4, 6]]);
    else assert.deepEqual([written, error?.code, results], [0, 'EINTR', [-4]], level);
  }
});

test('a short count injected is reported as it is', async (t) => {
  if (!need(t, STRACE)) return;
  const out = path.join(tempFolder(t), 'out');
  const { service } = await traced(t, ['--target', `out=${out}`], ['-P', out, '-e', 'inject=write:retval=3']);
  for (const level of SEEN.filter((id) => id !== 'std')) {
    const { written, requested, error } = await service.write({ level, target: 'out', msg: 'hello' });
    assert.deepEqual({ written, requested, error }, { written: 3, requested: 5, error: null });
  }
  await service.stop();
});

test('a wait is not busy: one write for each record, and no more while nothing changes', async (t) => {
  if (!need(t, STRACE)) return;
  const { path: fifo, writer, reader } = openFifo(t);
  const { service, trace } = await traced(t, ['--target', `pipe=${fifo}`], ['-P', fifo]);
  closeSync(writer);
  await service.write({ level: 'raw', target: 'pipe', msg: 'x'.repeat(65_536) });
  await service.write({ level: 'raw', target: 'pipe', msg: 'late', timeoutMs: 800 });
  const records = await service.records();
  await service.stop();
  assert.deepEqual(
    trace().map(({ result }) => result),
    [65_536, -11],
  );
  assert.equal(records.length, 2);
  assert.equal((await read(reader, 65_536)).length, 65_536);
});

test('time is up while a call takes part of the bytes: the next one says why it was not more', async (t) => {
  if (!need(t, STRACE)) return;
  const { path: fifo, writer } = openFifo(t);
  const slow = ['-P', fifo, '-e', 'inject=write:delay_enter=300000:when=1'];
  const { service, trace } = await traced(t, ['--target', `pipe=${fifo}`], slow);
  closeSync(writer);
  const { written, error } = await service.write({
    level: 'raw',
    target: 'pipe',
    msg: 'x'.repeat(100_000),
    timeoutMs: 50,
  });
  await service.stop();
  assert.deepEqual({ written, code: error?.code }, { written: 65_536, code: 'EAGAIN' });
  assert.deepEqual(
    trace().map(({ result }) => result),
    [65_536, -11],
  );
});

test('a time is the start of its call, however long the call takes', async (t) => {
  if (!need(t, STRACE)) return;
  const out = path.join(tempFolder(t), 'out');
  const { service } = await traced(t, ['--target', `out=${out}`], ['-P', out, '-e', 'inject=write:delay_enter=300000']);
  const sent = Date.now();
  await service.write({ level: 'raw', target: 'out', msg: 'slow' });
  const answered = Date.now();
  const [record] = await service.records();
  assert.ok(record && record.durationNs > 290e6, `${record?.durationNs} ns`);
  // However slow the machine is, the call itself lies between its time and the answer.
  const [after, before] = [record.time - sent, answered - record.time];
  assert.ok(after >= -3 && before >= 290, `${after} ms after it was sent, ${before} ms before it was answered`);
  await service.stop();
});

test('calls that get nowhere leave the event loop free while a write waits', async (t) => {
  if (!need(t, STRACE)) return;
  for (const fault of ['retval=0', 'error=EINTR']) {
    const out = path.join(tempFolder(t), 'out');
    const { service } = await traced(t, ['--target', `out=${out}`], ['-P', out, '-e', `inject=write:${fault}`]);
    const waiting = service.write({ level: 'raw', target: 'out', msg: 'x', timeoutMs: 1000 });
    let slowest = 0;
    for (let done = false; !done; ) {
      const before = performance.now();
      await fetch(`${service.url}/health`);
      slowest = Math.max(slowest, performance.now() - before);
      done = await Promise.race([
        waiting.then(() => true),
        new Promise<boolean>((resolve) => setImmediate(resolve, false)),
      ]);
    }
    const { written, calls } = await waiting;
    assert.equal(written, 0);
    assert.ok(calls < 1000, `${calls} calls`);
    assert.ok(slowest < 900, `${fault}: /health took ${slowest} ms`);
    await service.stop();
  }
});

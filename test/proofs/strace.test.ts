// strace as the outside witness of the service: every record agrees with the call that the kernel got.
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
/** The levels whose writes strace sees. It does not see those of io_uring. */
const SEEN = LEVELS.filter((id) => levels[id].seenBy?.strace);
const STRACE = { command: 'strace', package: 'strace' };

type Traced = { service: Service; trace: () => TracedWrite[] };

/** Starts the service under strace. Further flags may inject faults; `-P path` limits trace and faults to one file. */
async function startTraced(t: TestContext, args: string[], flags: string[] = []): Promise<Traced> {
  const file = path.join(tempFolder(t), 'trace');
  const strace = ['strace', '-f', '-xx', '-s', '4194304', '-e', 'trace=write', '-o', file, ...flags];
  const service = await startService(t, { args, wrap: (command) => [...strace, ...command] });
  return { service, trace: () => parseStrace(readFileSync(file, 'utf8')) };
}

test('every call at any level but uring is one write, with the bytes, descriptor and result of its record', async (t) => {
  if (!need(t, STRACE)) return;
  const out = path.join(tempFolder(t), 'out');
  const { service, trace } = await startTraced(t, ['--target', `out=${out}`]);
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
  const recorded = seen.map(({ fd, requested, written, error }) => ({
    fd,
    count: requested,
    result: error ? -error.errno : written,
  }));
  assert.deepEqual(
    writes.map(({ fd, count, result }) => ({ fd, count, result })),
    recorded,
  );
  for (const [index, { bytes }] of writes.entries()) assert.deepEqual(bytes, sent[index]);
  t.diagnostic(`${writes.length} writes seen, ${SEEN.length} levels × 2 targets × ${messages.length} messages`);
});

test('strace shows a partial write as one call at raw, int80 and os, none at uring, and two at std, which hides the second', async (t) => {
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
    const { service, trace } = await startTraced(t, ['--target', `pipe=${fifo}`], ['-P', fifo]);
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
  test(`an injected ${code} is in the answer at every level that strace sees, and only there`, async (t) => {
    if (!need(t, STRACE)) return;
    const out = path.join(tempFolder(t), 'out');
    // `when=2+2` injects into every second write to that file.
    const { service, trace } = await startTraced(
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

test('an injected EINTR is reported at raw, os and int80, std tries again, and uring is not affected', async (t) => {
  if (!need(t, STRACE)) return;
  for (const level of LEVELS) {
    const out = path.join(tempFolder(t), 'out');
    const flags = ['-P', out, '-e', 'inject=write:error=EINTR:when=1'];
    const { service, trace } = await startTraced(t, ['--target', `out=${out}`], flags);
    const { written, error } = await service.write({ level, target: 'out', msg: 'struck' });
    await service.stop();
    const results = trace().map(({ result }) => result);
    if (!SEEN.includes(level)) assert.deepEqual([written, error, results], [6, null, []], level);
    else if (level === 'std') assert.deepEqual([written, error, results], [6, null, [-4, 6]]);
    else assert.deepEqual([written, error?.code, results], [0, 'EINTR', [-4]], level);
  }
});

test('an injected short count is reported as the bytes written', async (t) => {
  if (!need(t, STRACE)) return;
  const out = path.join(tempFolder(t), 'out');
  const { service } = await startTraced(t, ['--target', `out=${out}`], ['-P', out, '-e', 'inject=write:retval=3']);
  for (const level of SEEN.filter((id) => id !== 'std')) {
    const { written, requested, error } = await service.write({ level, target: 'out', msg: 'hello' });
    assert.deepEqual({ written, requested, error }, { written: 3, requested: 5, error: null });
  }
  await service.stop();
});

test('a write that waits makes no call while nothing changes', async (t) => {
  if (!need(t, STRACE)) return;
  const { path: fifo, writer, reader } = openFifo(t);
  const { service, trace } = await startTraced(t, ['--target', `pipe=${fifo}`], ['-P', fifo]);
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

test('when time runs out during a partial call, one more call finds the error that the answer reports', async (t) => {
  if (!need(t, STRACE)) return;
  const { path: fifo, writer } = openFifo(t);
  const slow = ['-P', fifo, '-e', 'inject=write:delay_enter=300000:when=1'];
  const { service, trace } = await startTraced(t, ['--target', `pipe=${fifo}`], slow);
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

test("a record's time is the start of its call, however long the call takes", async (t) => {
  if (!need(t, STRACE)) return;
  const out = path.join(tempFolder(t), 'out');
  const { service } = await startTraced(
    t,
    ['--target', `out=${out}`],
    ['-P', out, '-e', 'inject=write:delay_enter=300000'],
  );
  const sent = Date.now();
  await service.write({ level: 'raw', target: 'out', msg: 'slow' });
  const answered = Date.now();
  const [record] = await service.records();
  assert.ok(record && record.durationNs > 290e6, `${record?.durationNs} ns`);
  // On a machine of any speed the call lies between the record's time and the answer.
  const [after, before] = [record.time - sent, answered - record.time];
  assert.ok(after >= -3 && before >= 290, `${after} ms after it was sent, ${before} ms before it was answered`);
  await service.stop();
});

test('other requests are answered while a write repeats calls that write nothing', async (t) => {
  if (!need(t, STRACE)) return;
  for (const fault of ['retval=0', 'error=EINTR']) {
    const out = path.join(tempFolder(t), 'out');
    const { service } = await startTraced(t, ['--target', `out=${out}`], ['-P', out, '-e', `inject=write:${fault}`]);
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

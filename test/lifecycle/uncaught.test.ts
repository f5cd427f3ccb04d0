// An error that nobody caught ends the service: said whole in its log, never in silence, and nothing goes on.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, readFileSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import path from 'node:path';
import { text as consume } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { isNonBlocking, socketPair } from '../support/descriptors.js';
import { callsMade, MAIN, openFifo, post, type Service, startService, tempFolder } from '../support/service.js';

/** The NODE_OPTIONS that run a module of ours before the service. */
const preload = (code: string): string => `--import data:text/javascript,${encodeURIComponent(code)}`;

/** What makes the service run `code` at SIGUSR2, where nobody catches what it throws. */
const failing = (code: string): NodeJS.ProcessEnv => ({
  NODE_OPTIONS: preload(
    `import { writeSync } from 'node:fs'; process.on('SIGUSR2', () => setTimeout(() => { ${code} }))`,
  ),
});

/** Lets it fail, and gives back its exit code and signal. */
async function fail({ child }: Service): Promise<unknown[]> {
  const closed = once(child, 'close', { signal: AbortSignal.timeout(10_000) });
  child.kill('SIGUSR2');
  return await closed;
}

const UNCAUGHT: Record<string, { code: string; err: (err: unknown) => boolean }> = {
  'an exception': {
    code: 'throw new TypeError("boom")',
    err: (err) => /^TypeError: boom\n {4}at .*data:/.test((err as Error).stack ?? ''),
  },
  'a rejection': {
    code: 'Promise.reject(new Error("boom"))',
    err: (err) => /^Error: boom\n {4}at .*data:/.test((err as Error).stack ?? ''),
  },
  'what is no error, thrown': { code: 'throw "boom"', err: (err) => err === 'boom' },
  'what is no error, rejected': {
    code: 'Promise.reject("boom")',
    err: (err) => /"boom"/.test((err as Error).message),
  },
  'nothing at all, thrown': { code: 'throw undefined', err: (err) => err === undefined },
};

for (const [name, { code, err }] of Object.entries(UNCAUGHT)) {
  test(`${name}: the log's last line, exit 1`, async (t) => {
    const service = await startService(t, { env: failing(code) });
    assert.deepEqual(await fail(service), [1, null]);
    const line = JSON.parse(service.log.at(-1) as string);
    assert.deepEqual(
      { level: line.level, msg: line.msg, lines: service.log.length },
      { level: 60, msg: 'the service made a mistake, and ends', lines: 2 },
    );
    assert.ok(err(line.err), JSON.stringify(line.err));
  });
}

/** A run of the service that fails by itself, to its end. */
const toItsEnd = (code: string, ...args: string[]) =>
  spawnSync(process.execPath, [MAIN, '--port', '0', ...args], {
    env: { ...process.env, NODE_OPTIONS: preload(code) },
    encoding: 'utf8',
    timeout: 20_000,
  });

test('a silent log: one line all the same', () => {
  const { status, stderr } = toItsEnd(
    `import { Server } from 'node:net';
    const { listen } = Server.prototype;
    Server.prototype.listen = function (...args) {
      this.once('listening', () => setTimeout(() => { throw new Error('boom') }));
      return listen.apply(this, args);
    }`,
    '--log-level',
    'silent',
  );
  assert.deepEqual({ status, stderr }, { status: 1, stderr: 'syswire: the service made a mistake, and ends: boom\n' });
});

test('before there is a log: Node says it, exit 1', () => {
  const { status, stderr } = toItsEnd(`queueMicrotask(() => { throw new Error('boom') })`);
  assert.equal(status, 1);
  assert.match(stderr, /^Error: boom\n {4}at /m);
});

test('while it stops: as at any time, and what waits is not waited for', async (t) => {
  const { writer, path: fifo } = openFifo(t);
  const service = await startService(t, {
    env: failing('throw new Error("boom")'),
    args: ['--target', `pipe=${fifo}`],
  });
  closeSync(writer);
  await service.write({ level: 'raw', target: 'pipe', msg: 'x'.repeat(1 << 20) });
  const waiting = service.write({ level: 'raw', target: 'pipe', msg: 'y', timeoutMs: 60_000 });
  const lost = assert.rejects(waiting, /fetch failed/);
  while ((await service.records()).length < 2);
  service.child.kill('SIGTERM');
  await service.logged('"msg":"stopping"');
  const before = performance.now();
  assert.deepEqual(await fail(service), [1, null]);
  assert.ok(performance.now() - before < 3000, `${performance.now() - before} ms`);
  assert.match(service.log.at(-1) as string, /^\{"level":60,.*boom/);
  await lost;
});

/** A service whose stderr is a pipe that takes no more, with log lines on top of what clients wrote there. */
async function stuckLog(t: TestContext, code: string): Promise<{ service: Service; reader: Socket }> {
  const fifo = openFifo(t);
  const service = await startService(t, { stderr: fifo, env: failing(code) });
  closeSync(fifo.writer);
  while (
    (await service.write({ level: 'raw', target: 'stderr', msg: `${'x'.repeat(4095)}\n`, timeoutMs: 500 })).error ===
    null
  );
  return { service, reader: fifo.reader };
}

test('a log that nobody reads does not keep it from ending', async (t) => {
  const { service } = await stuckLog(t, 'throw new Error("boom")');
  const before = performance.now();
  assert.deepEqual(await fail(service), [1, null]);
  assert.ok(performance.now() - before < 4000, `${performance.now() - before} ms`);
});

test('a log that is read late has the whole of it', async (t) => {
  // It says when, so that its first try finds no room.
  const { service, reader } = await stuckLog(t, 'writeSync(3, "now\\n"); throw new Error("boom")');
  const failed = fail(service);
  await service.logged('now');
  const text = await consume(reader);
  assert.deepEqual(await failed, [1, null]);
  const lines = text.split('\n');
  assert.equal(lines.pop(), '', 'the last line is whole');
  assert.match(JSON.parse(lines.pop() as string).err.stack, /^Error: boom\n {4}at /);
});

test('in the middle of a burst: what was written is in the record file', async (t) => {
  const folder = tempFolder(t);
  const [out, records] = [path.join(folder, 'out'), path.join(folder, 'records')];
  const args = ['--target', `out=${out}`, '--record', records];
  const service = await startService(t, { env: failing('throw new Error("boom")'), args });
  const lost = assert.rejects(
    post(`${service.url}/bursts`, { level: 'raw', target: 'out', msg: 'x', count: 10_000_000 }),
  );
  await callsMade(service, 10_000);
  assert.deepEqual(await fail(service), [1, null]);
  await lost;
  const lines = readFileSync(records, 'latin1').split('\n');
  assert.equal(lines.pop(), '', 'the last line is whole');
  assert.equal(lines.length, statSync(out).size);
});

test('stdout and stderr are put back as they were', async (t) => {
  const [theirs, ours] = socketPair(t);
  const service = await startService(t, { stdout: theirs, env: failing('throw new Error("boom")') });
  assert.ok(isNonBlocking(theirs), 'shared, and so non-blocking for everybody');
  assert.ok(ours);
  assert.deepEqual(await fail(service), [1, null]);
  assert.ok(!isNonBlocking(theirs));
});

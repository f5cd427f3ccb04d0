// Tests that an uncaught error ends the service with exit code 1, and that its log has the whole error.
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

/** Return the NODE_OPTIONS that run `code` as a module before the service. */
const preload = (code: string): string => `--import data:text/javascript,${encodeURIComponent(code)}`;

/** Return the environment in which the service runs `code` at SIGUSR2. Nothing catches the errors of `code`. */
const failing = (code: string): NodeJS.ProcessEnv => ({
  NODE_OPTIONS: preload(
    `import { writeSync } from 'node:fs'; process.on('SIGUSR2', () => setTimeout(() => { ${code} }))`,
  ),
});

/** Make the service fail with SIGUSR2, and return its exit code and signal. */
async function fail({ child }: Service): Promise<unknown[]> {
  const closed = once(child, 'close', { signal: AbortSignal.timeout(10_000) });
  child.kill('SIGUSR2');
  return await closed;
}

const UNCAUGHT: Record<string, { code: string; err: (err: unknown) => boolean }> = {
  exception: {
    code: 'throw new TypeError("boom")',
    err: (err) => /^TypeError: boom\n {4}at .*data:/.test((err as Error).stack ?? ''),
  },
  rejection: {
    code: 'Promise.reject(new Error("boom"))',
    err: (err) => /^Error: boom\n {4}at .*data:/.test((err as Error).stack ?? ''),
  },
  'thrown string': { code: 'throw "boom"', err: (err) => err === 'boom' },
  'rejection with a string': {
    code: 'Promise.reject("boom")',
    err: (err) => /"boom"/.test((err as Error).message),
  },
  'thrown undefined': { code: 'throw undefined', err: (err) => err === undefined },
};

for (const [name, { code, err }] of Object.entries(UNCAUGHT)) {
  test(`uncaught ${name}: exit 1, and the last line of the log has it`, async (t) => {
    const service = await startService(t, { env: failing(code) });
    assert.deepEqual(await fail(service), [1, null]);
    const line = JSON.parse(service.log.at(-1) as string);
    assert.deepEqual(
      { level: line.level, msg: line.msg, lines: service.log.length },
      { level: 60, msg: 'the service stops after an internal error', lines: 2 },
    );
    assert.ok(err(line.err), JSON.stringify(line.err));
  });
}

/** Run the service with `code` loaded before it, until it ends by itself. */
const runToEnd = (code: string, ...args: string[]) =>
  spawnSync(process.execPath, [MAIN, '--port', '0', ...args], {
    env: { ...process.env, NODE_OPTIONS: preload(code) },
    encoding: 'utf8',
    timeout: 20_000,
  });

test('an uncaught error with --log-level silent: exit 1, one line on stderr', () => {
  const { status, stderr } = runToEnd(
    `import { Server } from 'node:net';
    const { listen } = Server.prototype;
    Server.prototype.listen = function (...args) {
      this.once('listening', () => setTimeout(() => { throw new Error('boom') }));
      return listen.apply(this, args);
    }`,
    '--log-level',
    'silent',
  );
  assert.deepEqual(
    { status, stderr },
    { status: 1, stderr: 'syswire: the service stops after an internal error: boom\n' },
  );
});

test('an uncaught error before the log is open: exit 1, Node prints the stack', () => {
  const { status, stderr } = runToEnd(`queueMicrotask(() => { throw new Error('boom') })`);
  assert.equal(status, 1);
  assert.match(stderr, /^Error: boom\n {4}at /m);
});

test('an uncaught error during a stop ends the service at once, although a write waits', async (t) => {
  const { writer, path: fifo } = openFifo(t);
  const service = await startService(t, {
    env: failing('throw new Error("boom")'),
    args: ['--target', `pipe=${fifo}`],
  });
  closeSync(writer);
  await service.write({ level: 'raw', target: 'pipe', msg: 'x'.repeat(1 << 20) });
  const waiting = service.write({ level: 'raw', target: 'pipe', msg: 'y', timeoutMs: 60_000 });
  const lost = assert.rejects(waiting, /fetch failed/);
  await callsMade(service, 2);
  service.child.kill('SIGTERM');
  await service.logged('"msg":"stopping"');
  const before = performance.now();
  assert.deepEqual(await fail(service), [1, null]);
  assert.ok(performance.now() - before < 3000, `${performance.now() - before} ms`);
  assert.match(service.log.at(-1) as string, /^\{"level":60,.*boom/);
  await lost;
});

/** Start a service whose stderr is a pipe, filled by clients, so that new log lines have no room. */
async function startWithFullLog(t: TestContext, code: string): Promise<{ service: Service; reader: Socket }> {
  const fifo = openFifo(t);
  const service = await startService(t, { stderr: fifo, env: failing(code) });
  closeSync(fifo.writer);
  while (
    (await service.write({ level: 'raw', target: 'stderr', msg: `${'x'.repeat(4095)}\n`, timeoutMs: 500 })).error ===
    null
  );
  return { service, reader: fifo.reader };
}

test('an uncaught error ends the service although nobody reads its full log', async (t) => {
  const { service } = await startWithFullLog(t, 'throw new Error("boom")');
  const before = performance.now();
  assert.deepEqual(await fail(service), [1, null]);
  assert.ok(performance.now() - before < 4000, `${performance.now() - before} ms`);
});

test('a full log that is read only after the uncaught error has the whole error', async (t) => {
  // The service reports its failure on descriptor 3. The log is read only after that, so that its first attempt finds no
  // room.
  const { service, reader } = await startWithFullLog(t, 'writeSync(3, "now\\n"); throw new Error("boom")');
  const failed = fail(service);
  await service.logged('now');
  const text = await consume(reader);
  assert.deepEqual(await failed, [1, null]);
  const lines = text.split('\n');
  assert.equal(lines.pop(), '', 'the last line is whole');
  assert.match(JSON.parse(lines.pop() as string).err.stack, /^Error: boom\n {4}at /);
});

test('after an uncaught error during a burst, the record file has every call that was made', async (t) => {
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
  assert.equal(lines.length, statSync(out).size + 2, 'a line per call, after a hello and before an end');
});

test('after an uncaught error a shared stdout blocks again', async (t) => {
  const [theirs, ours] = socketPair(t);
  const service = await startService(t, { stdout: theirs, env: failing('throw new Error("boom")') });
  assert.ok(isNonBlocking(theirs), 'a shared socket is non-blocking for the test too');
  assert.ok(ours);
  assert.deepEqual(await fail(service), [1, null]);
  assert.ok(!isNonBlocking(theirs));
});

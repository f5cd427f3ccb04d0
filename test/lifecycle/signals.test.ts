// Tests signals: the first stops the service, the second ends it at once, and both restore the flags of stdout.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, readFileSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../support/app.js';
import { isNonBlocking, socketPair } from '../support/descriptors.js';
import {
  callsMade,
  openFifo,
  post,
  type Service,
  type ServiceOptions,
  startService,
  tempFolder,
} from '../support/service.js';

type Waiting = { service: Service; stdout: number; over: Promise<unknown> };

/** Start a service and fill its stdout, a socket shared with the test, so that one more write waits for room. */
async function startWaiting(t: TestContext, options: ServiceOptions = {}): Promise<Waiting> {
  const [stdout] = socketPair(t);
  const service = await startService(t, { ...options, stdout });
  assert.ok(isNonBlocking(stdout), 'a shared socket is non-blocking for the test too');
  while ((await service.write({ level: 'raw', msg: 'x'.repeat(1 << 16) })).error === null);
  const { length } = await service.records();
  const over = Promise.allSettled([service.write({ level: 'raw', msg: 'y', timeoutMs: 60_000 })]);
  await callsMade(service, length + 1);
  return { service, stdout, over };
}

const SECOND: [first: NodeJS.Signals, second: NodeJS.Signals][] = [
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGINT'],
  ['SIGINT', 'SIGTERM'],
  ['SIGHUP', 'SIGHUP'],
];

for (const [first, second] of SECOND) {
  test(`${first}, then ${second}, while a write waits: the service ends at once and restores stdout`, async (t) => {
    const { service, stdout, over } = await startWaiting(t);
    const exited = once(service.child, 'exit');
    service.child.kill(first);
    await service.logged('"msg":"stopping"');
    const before = performance.now();
    service.child.kill(second);
    assert.deepEqual(await exited, [128 + constants.signals[second], null]);
    assert.ok(performance.now() - before < 3500, `${performance.now() - before} ms`);
    assert.ok(!isNonBlocking(stdout), 'stdout blocks again');
    await over;
  });
}

test('a second signal ends the service at once while its log is a full pipe', async (t) => {
  const stderr = openFifo(t);
  const { service, over } = await startWaiting(t, { stderr, args: ['--record', '/dev/full'] });
  closeSync(stderr.writer);
  while (
    (await service.write({ level: 'raw', target: 'stderr', msg: 'x\n'.repeat(2048), timeoutMs: 500 })).error === null
  );
  const exited = once(service.child, 'exit', { signal: AbortSignal.timeout(10_000) });
  service.child.kill('SIGTERM');
  // A stopping service refuses new requests.
  await until(async () => (await fetch(`${service.url}/health`).catch(() => ({ status: 503 }))).status !== 200);
  const before = performance.now();
  service.child.kill('SIGTERM');
  assert.deepEqual(await exited, [143, null]);
  assert.ok(performance.now() - before < 3500, `${performance.now() - before} ms`);
  await over;
});

test('after a second signal during a burst, the record file has every call that was made', async (t) => {
  const folder = tempFolder(t);
  const [out, records] = [path.join(folder, 'out'), path.join(folder, 'records')];
  const service = await startService(t, { args: ['--target', `out=${out}`, '--record', records] });
  const lost = assert.rejects(
    post(`${service.url}/bursts`, { level: 'raw', target: 'out', msg: 'x', count: 10_000_000 }),
  );
  await callsMade(service, 10_000);
  const exited = once(service.child, 'exit');
  service.child.kill('SIGTERM');
  await service.logged('"msg":"stopping"');
  service.child.kill('SIGTERM');
  assert.deepEqual(await exited, [143, null]);
  await lost;
  const lines = readFileSync(records, 'latin1').split('\n');
  assert.equal(lines.pop(), '', 'the last line is whole');
  const calls = statSync(out).size;
  assert.equal(lines.length, calls + 2, 'a line per call, after a hello and before an end');
  assert.equal(JSON.parse(lines.at(-1) as string).last, calls);
});

test('SIGHUP, which a closed terminal sends, stops the service and restores stdout', async (t) => {
  const [stdout] = socketPair(t);
  const service = await startService(t, { stdout });
  const closed = once(service.child, 'close');
  service.child.kill('SIGHUP');
  assert.deepEqual(await closed, [0, null]);
  assert.match(service.log.join('\n'), /"msg":"stopping"/);
  assert.ok(!isNonBlocking(stdout), 'stdout blocks again');
});

test('the service ignores SIGPIPE, and a write to a broken pipe returns EPIPE', async (t) => {
  const service = await startService(t);
  for (let i = 0; i < 3; i++) service.child.kill('SIGPIPE');
  const { error } = await service.write({ level: 'raw', target: 'broken-pipe', msg: 'x' });
  assert.equal(error?.code, 'EPIPE');
  assert.equal(await service.stop(), 0);
});

// A library between the service and the kernel that returns counts which cannot be: the service says so, and goes on.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { post, ROOT, type Service, startService, tempFolder } from '../support/service.js';
import { need, underAsan } from '../support/tools.js';

const MESSAGE = 'sixteen bytes ok';

async function startWithLiar(
  t: TestContext,
  env: NodeJS.ProcessEnv = {},
  args: string[] = [],
): Promise<Service | null> {
  if (underAsan || !need(t, { command: 'cc', package: 'gcc' })) return null;
  const library = path.join(tempFolder(t), 'count.so');
  const source = path.join(ROOT, 'test/support/programs/count.c');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
  return startService(t, { args, env: { ...env, LD_PRELOAD: library } });
}

for (const [count, env] of Object.entries({ 17: {}, '9223372036854775807': { COUNT: '9223372036854775807' } }))
  test(`a call that returns ${count} for 16 bytes is an error in answer, record, burst and metrics`, async (t) => {
    const service = await startWithLiar(t, env);
    if (!service) return;
    const error = { code: 'IMPOSSIBLE_COUNT', errno: 0, message: `the call returned ${Number(count)} for 16 bytes` };
    for (const timeoutMs of [0, 700]) {
      const { written, error: told, calls } = await service.write({ level: 'os', msg: MESSAGE, timeoutMs });
      assert.deepEqual({ written, error: told, calls }, { written: 0, error, calls: 1 });
    }
    const burst = await post(`${service.url}/bursts`, { level: 'os', msg: MESSAGE, count: 5 });
    const { written, errors } = (await burst.json()) as { written: number; errors: object };
    assert.deepEqual({ written, errors }, { written: 0, errors: { IMPOSSIBLE_COUNT: 5 } });
    const records = await fetch(`${service.url}/events?errors=1`);
    const { events } = (await records.json()) as { events: { written: number; error: object }[] };
    assert.equal(events.length, 7);
    for (const event of events) assert.deepEqual([event.written, event.error], [0, error]);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    assert.match(metrics, /syswire_calls_total\{level="os",target="stdout",code="IMPOSSIBLE_COUNT"\} 7\n/);
    assert.match(metrics, /syswire_written_bytes_total\{level="os",target="stdout"\} 0\n/);
    assert.equal(await service.stop(), 0);
  });

test('a write ends by its deadline although every call takes one more byte', async (t) => {
  const service = await startWithLiar(t);
  if (!service) return;
  const before = performance.now();
  const result = await service.write({ level: 'os', msg: '~'.repeat(4_000_000), timeoutMs: 300 });
  assert.ok(performance.now() - before < 5000, `${performance.now() - before} ms`);
  assert.equal(result.written, result.calls);
  assert.ok(result.written < result.requested);
});

test('a record file that takes 0 bytes of a line is one that takes nothing: the service goes on', async (t) => {
  const record = path.join(tempFolder(t), 'record');
  const service = await startWithLiar(t, { NO_RECORDS: '1' }, ['--record', record]);
  if (!service) return;
  assert.equal((await service.write({ level: 'raw', msg: 'x' })).written, 1);
  await service.logged('the record file takes nothing');
  assert.equal(await service.stop(), 0);
  assert.equal(readFileSync(record, 'utf8'), '');
});

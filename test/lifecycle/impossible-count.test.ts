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

const impossible = (count: number) => ({
  code: 'IMPOSSIBLE_COUNT',
  errno: 0,
  message: `the call returned ${count} for 16 bytes`,
});
const NO_ERRNO = { code: 'NO_ERRNO', errno: 0, message: 'the call returned a negative number and set no errno' };
const LIES = {
  17: impossible(17),
  '9223372036854775807': impossible(2 ** 63),
  '-1': NO_ERRNO,
  '-5': NO_ERRNO,
  '-65536': NO_ERRNO,
};

for (const [count, error] of Object.entries(LIES))
  test(`a call that returns ${count} for 16 bytes is an error in answer, record, burst and metrics`, async (t) => {
    const service = await startWithLiar(t, { COUNT: count });
    if (!service) return;
    // An errno from before: the library sets none.
    assert.equal((await service.write({ level: 'os', msg: 'x', target: 'full' })).error?.code, 'ENOSPC');
    for (const timeoutMs of [0, 700]) {
      const { written, error: told, calls } = await service.write({ level: 'os', msg: MESSAGE, timeoutMs });
      assert.deepEqual({ written, error: told, calls }, { written: 0, error, calls: 1 });
    }
    const burst = await post(`${service.url}/bursts`, { level: 'os', msg: MESSAGE, target: 'stdout', count: 5 });
    const { written, errors } = (await burst.json()) as { written: number; errors: object };
    assert.deepEqual({ written, errors }, { written: 0, errors: { [error.code]: 5 } });
    const records = await fetch(`${service.url}/events?errors=1&target=stdout`);
    const { events } = (await records.json()) as { events: { written: number; error: object }[] };
    assert.equal(events.length, 7);
    for (const event of events) assert.deepEqual([event.written, event.error], [0, error]);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    assert.ok(metrics.includes(`syswire_calls_total{level="os",target="stdout",code="${error.code}"} 7\n`));
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

test('a record file whose writes return more than there is has every line once', async (t) => {
  const file = path.join(tempFolder(t), 'records');
  const service = await startWithLiar(t, { LINES_MORE: '1000', SYSWIRE_RECORD: file });
  if (!service) return;
  for (let made = 0; made < 3; made++) await service.write({ level: 'raw', msg: 'x' });
  assert.equal(await service.stop(), 0);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).type),
    ['hello', 'call', 'call', 'call', 'end'],
  );
});

test('a record file whose writes return 0 does not hold up the service', async (t) => {
  const service = await startWithLiar(t, { LINES_MORE: '0', SYSWIRE_RECORD: path.join(tempFolder(t), 'records') });
  if (!service) return;
  assert.match(await service.logged('the record file takes nothing'), /it takes no bytes now/);
  assert.equal((await service.write({ level: 'raw', msg: 'x' })).written, 1);
  assert.equal(await service.stop(), 0);
});

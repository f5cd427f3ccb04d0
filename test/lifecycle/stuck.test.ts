// A call that never returns: the event loop is stuck, and a signal must end the service all the same.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { until } from '../support/app.js';
import { post, ROOT, startService, tempFolder } from '../support/service.js';
import { need, underAsan } from '../support/tools.js';

const COMPILER = { command: 'cc', package: 'gcc' };

/** The state of a process's main thread, and the CPU time that it has used, in ticks. */
function statOf(pid: number): { state: string; ticks: number } {
  const [state = '', ...fields] = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  return { state, ticks: Number(fields[10]) + Number(fields[11]) };
}

test('SIGTERM ends a service whose std write is answered EINTR for ever, with 143', async (t) => {
  if (underAsan || !need(t, COMPILER)) return;
  const library = path.join(tempFolder(t), 'eintr.so');
  const source = path.join(ROOT, 'test/support/programs/eintr.c');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
  const service = await startService(t, { env: { LD_PRELOAD: library } });
  const { pid } = (await (await fetch(`${service.url}/health`)).json()) as { pid: number };
  const { ticks } = statOf(pid);
  post(`${service.url}/write`, { level: 'std', msg: 'never mind', target: 'stdout' }).catch(() => {});
  // Half a second of CPU time: the loop inside libuv has begun.
  await until(() => statOf(pid).ticks >= ticks + 50);
  const exited = once(service.child, 'exit');
  const before = performance.now();
  process.kill(pid, 'SIGTERM');
  assert.deepEqual(await exited, [143, null]);
  assert.ok(performance.now() - before < 20_000);
});

test('a stop that takes long but whose event loop is alive is not cut short', async (t) => {
  const service = await startService(t);
  const stuck = post(`${service.url}/write`, { level: 'raw', msg: 'x', target: 'stuck-pipe', timeoutMs: 60_000 });
  await until(async () => {
    const text = await (await fetch(`${service.url}/metrics`)).text();
    return text.includes('syswire_waiting_writes{target="stuck-pipe"} 1');
  });
  assert.equal(await service.stop(), 0);
  assert.equal((await stuck).status, 200);
});

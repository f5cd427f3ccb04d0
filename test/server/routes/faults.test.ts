// The fault targets over HTTP: each gives its errno at every level, in any order, any number of times.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { WriteResult } from '../../../src/protocol/calls.js';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import type { Targets } from '../../../src/protocol/service.js';
import { buildApp } from '../../../src/server/app.js';
import { levels } from '../../../src/syscalls/index.js';
import { FAULT_NAMES } from '../../../src/syscalls/targets/faults.js';
import { testApp } from '../../support/app.js';

/** Where a fault target gives another errno. Any other one that does is a mistake in the table of fault targets. */
const ELSEWHERE: Record<string, RegExp> = {
  // On a tmpfs the only limit of a file is that of the offset.
  'too-big': /fails with EINVAL/,
};

const here = LEVEL_IDS.filter((id) => levels[id].available);

test('each fault target gives the errno that it promises, at every level, in any order, three times over', async (t) => {
  const { app, post } = testApp(t);
  const { targets } = (await app.inject('/targets')).json<Targets>();
  const faults = targets.filter(({ expects }) => expects !== null);
  assert.deepEqual(
    faults.map(({ name }) => name),
    FAULT_NAMES,
  );
  let calls = 0;
  for (const order of [faults, faults.toReversed(), faults]) {
    for (const { name, expects, available, reason } of order) {
      if (!available) {
        assert.match(reason ?? '', ELSEWHERE[name] ?? /^it could not be opened: /, name);
        t.diagnostic(`${name} is not available here: ${reason}`);
        continue;
      }
      for (const level of here) {
        const answer = await post({ level, target: name, msg: 'x' });
        const { error, written } = answer.json<WriteResult>();
        assert.deepEqual([answer.statusCode, error?.code, written], [200, expects, 0], `${name} at ${level}`);
        calls += 1;
      }
    }
  }
  t.diagnostic(`${faults.length} fault targets × ${here.length} levels × 3 = ${calls} refusals`);
});

test('fault targets also refuse 4,096 bytes, and 200,000, which are more than a pipe or a packet holds', async (t) => {
  const { app, post } = testApp(t);
  const { targets } = (await app.inject('/targets')).json<Targets>();
  for (const { name, expects } of targets.filter(({ expects, available }) => expects && available))
    for (const msg of ['x'.repeat(4096), 'x'.repeat(200_000)])
      for (const level of here) {
        const { error, written } = (await post({ level, target: name, msg })).json<WriteResult>();
        assert.deepEqual([error?.code, written], [expects, 0], `${msg.length} bytes to ${name} at ${level}`);
      }
});

test('a write that waits for the stuck pipe still gets EAGAIN', async (t) => {
  const { post } = testApp(t);
  const { error, calls } = (
    await post({ level: 'raw', target: 'stuck-pipe', msg: 'x', timeoutMs: 100 })
  ).json<WriteResult>();
  assert.deepEqual([error?.code, calls], ['EAGAIN', 1]);
});

test('the names of fault targets are reserved, and free when fault targets are switched off', async (t) => {
  assert.throws(() => buildApp({ targets: { full: '/dev/null' } }), /target 'full' exists already/);
  const { post } = testApp(t, { faults: false, targets: { full: '/dev/null' } });
  assert.equal((await post({ level: 'raw', target: 'full', msg: 'x' })).json<WriteResult>().written, 1);
  const refused = await post({ level: 'raw', target: 'sealed', msg: 'x' });
  assert.equal(refused.statusCode, 404);
  assert.match(refused.json().detail, /^there is no target 'sealed': .*; this service runs without the fault targets$/);
});

test('fault targets leave no descriptor behind', async () => {
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 3; i++) await buildApp().close();
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('a fault target that is unavailable here is listed with its reason, and a write to it is a 501', async (t) => {
  // /dev/shm is a tmpfs: the only limit of a file there is that of the offset, so the kernel gives EINVAL, not EFBIG.
  const { TMPDIR } = process.env;
  process.env.TMPDIR = '/dev/shm';
  t.after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
  const app = buildApp();
  t.after(() => app.close());
  const { targets } = (await app.inject('/targets')).json<Targets>();
  const { available, reason } = targets.find(({ name }) => name === 'too-big') ?? assert.fail('no such target');
  assert.equal(available, false);
  assert.match(reason ?? '', /should fail with EFBIG, but fails with EINVAL on this machine/);
  const payload = { level: 'raw', target: 'too-big', msg: 'x' };
  const answer = await app.inject({ method: 'POST', url: '/write', payload });
  assert.equal(answer.statusCode, 501);
  assert.match(answer.json().detail, /EINVAL/);
  assert.equal((await app.inject('/health')).json().next, 1);
});

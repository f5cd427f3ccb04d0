// The fault targets, over HTTP: each errno, at every level, any number of times and in any order.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { WriteResult } from '../../../src/protocol/calls.js';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import { buildApp } from '../../../src/server/app.js';
import { levels } from '../../../src/syscalls/index.js';
import { FAULT_NAMES } from '../../../src/syscalls/targets/faults.js';
import { testApp } from '../../support/app.js';

type Listed = { name: string; kind: string; expects: string | null; available: boolean; reason: string | null };

const here = LEVEL_IDS.filter((id) => levels[id].available);

test('each gives the errno it promises, at every level, in any order, three times over', async (t) => {
  const { app, post } = testApp(t);
  const { targets } = (await app.inject('/targets')).json<{ targets: Listed[] }>();
  const faults = targets.filter(({ expects }) => expects !== null);
  assert.deepEqual(
    faults.map(({ name }) => name),
    FAULT_NAMES,
  );
  let calls = 0;
  for (const order of [faults, faults.toReversed(), faults]) {
    for (const { name, expects, available, reason } of order) {
      if (!available) {
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

test('more than one byte, more than a pipe holds, and more than a packet does, are refused as well', async (t) => {
  const { app, post } = testApp(t);
  const { targets } = (await app.inject('/targets')).json<{ targets: Listed[] }>();
  for (const { name, expects } of targets.filter(({ expects, available }) => expects && available))
    for (const msg of ['x'.repeat(4096), 'x'.repeat(200_000)])
      for (const level of here) {
        const { error, written } = (await post({ level, target: name, msg })).json<WriteResult>();
        assert.deepEqual([error?.code, written], [expects, 0], `${msg.length} bytes to ${name} at ${level}`);
      }
});

test('a stuck pipe stays stuck for those who wait, too', async (t) => {
  const { post } = testApp(t);
  const { error, calls } = (
    await post({ level: 'raw', target: 'stuck-pipe', msg: 'x', timeoutMs: 100 })
  ).json<WriteResult>();
  assert.deepEqual([error?.code, calls], ['EAGAIN', 1]);
});

test('their names are reserved, and without them they are free', async (t) => {
  assert.throws(() => buildApp({ targets: { full: '/dev/null' } }), /target 'full' exists already/);
  const { post } = testApp(t, { faults: false, targets: { full: '/dev/null' } });
  assert.equal((await post({ level: 'raw', target: 'full', msg: 'x' })).json<WriteResult>().written, 1);
  assert.equal((await post({ level: 'raw', target: 'sealed', msg: 'x' })).statusCode, 404);
});

test('they leave no descriptor behind', async () => {
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 3; i++) await buildApp().close();
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('one that cannot be had here is listed with its reason, and asking for it is a 501', async (t) => {
  // /dev/shm is a tmpfs, whose limit is that of the offset itself: EINVAL there, not EFBIG.
  const { TMPDIR } = process.env;
  process.env.TMPDIR = '/dev/shm';
  t.after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
  const app = buildApp();
  t.after(() => app.close());
  const { targets } = (await app.inject('/targets')).json<{ targets: Listed[] }>();
  const { available, reason } = targets.find(({ name }) => name === 'too-big') as Listed;
  assert.equal(available, false);
  assert.match(reason ?? '', /should fail with EFBIG, but fails with EINVAL on this machine/);
  const payload = { level: 'raw', target: 'too-big', msg: 'x' };
  const answer = await app.inject({ method: 'POST', url: '/write', payload });
  assert.equal(answer.statusCode, 501);
  assert.match(answer.json().detail, /EINVAL/);
  assert.equal((await app.inject('/health')).json().next, 1);
});

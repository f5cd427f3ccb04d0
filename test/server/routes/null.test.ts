// The target `null`: every service has it, it takes every write whole at every level, and bursts go there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type BurstResult, WriteRequest, type WriteResult } from '../../../src/protocol/calls.js';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import type { Targets } from '../../../src/protocol/service.js';
import { levels } from '../../../src/syscalls/index.js';
import { openNull } from '../../../src/syscalls/targets/null.js';
import { type TestApp, testApp } from '../../support/app.js';
import { tempFolder } from '../../support/service.js';

const targetsOf = async ({ app }: TestApp): Promise<Targets['targets']> =>
  (await app.inject('/targets')).json<Targets>().targets;

test('null is listed after stdout and stderr, with and without fault targets', async (t) => {
  for (const faults of [true, false]) {
    const targets = await targetsOf(testApp(t, { faults }));
    assert.deepEqual(
      targets.slice(0, 3).map(({ name }) => name),
      ['stdout', 'stderr', 'null'],
    );
    assert.deepEqual(targets[2], {
      name: 'null',
      kind: 'device',
      shared: false,
      expects: null,
      available: true,
      reason: null,
    });
  }
});

for (const level of LEVEL_IDS.filter((id) => levels[id].available)) {
  test(`null takes every write whole at ${level}, in one call`, async (t) => {
    const { post } = testApp(t);
    for (const length of [0, 1, 4096, 200_000, 4_000_000]) {
      const answer = await post({ level, target: 'null', msg: 'x'.repeat(length), timeoutMs: length === 1 ? 100 : 0 });
      const { written, error, calls } = answer.json<WriteResult>();
      assert.deepEqual({ written, error, calls }, { written: length, error: null, calls: 1 });
    }
  });
}

test('a path for null replaces the null device, at its place in the list', async (t) => {
  const file = path.join(tempFolder(t), 'kept');
  const app = testApp(t, { targets: { null: file } });
  const targets = await targetsOf(app);
  assert.deepEqual(
    targets.filter(({ name }) => name === 'null').map(({ kind }) => kind),
    ['file'],
  );
  assert.equal(targets[2]?.name, 'null');
  assert.equal((await app.post({ level: 'raw', target: 'null', msg: 'kept' })).statusCode, 200);
  assert.equal(readFileSync(file, 'utf8'), 'kept');
});

test('a burst without a target goes to null, and a write to stdout', async (t) => {
  const { app, post } = testApp(t);
  const answer = await post({ level: 'os', msg: 'x\n', count: 100 }, {}, '/bursts');
  const { target, written } = answer.json<BurstResult>();
  assert.deepEqual([target, written], ['null', 200]);
  assert.equal((await app.inject('/events?target=null')).json().events.length, 100);
  assert.equal(WriteRequest.parse({ level: 'raw', msg: '' }).target, 'stdout');
});

test('where the null device cannot be opened, null has the reason', () => {
  const { kind, reason, close } = openNull('/nowhere/null');
  assert.equal(kind, 'none');
  assert.match(reason ?? '', /^it could not be opened: ENOENT/);
  close();
});

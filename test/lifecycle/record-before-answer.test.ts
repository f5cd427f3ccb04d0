// A client that has its answer can rely on the record: it is in the file of --record, even if the service is killed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { testApp } from '../support/app.js';
import { post, startService, tempFolder } from '../support/service.js';

const WRITE = { level: 'raw', msg: 'x', target: 'out' };
const REQUESTS: Record<string, [route: string, body: object, calls: number]> = {
  'POST /write': ['/write', WRITE, 1],
  'POST /write that waits': ['/write', { ...WRITE, timeoutMs: 1000 }, 1],
  'POST /writes': ['/writes', { writes: [WRITE, { ...WRITE, timeoutMs: 1000 }, WRITE] }, 3],
};

const seqsIn = (file: string): number[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{"type":"call"'))
    .map((line) => JSON.parse(line).seq);

for (const [name, [route, body, calls]] of Object.entries(REQUESTS))
  test(`the record of ${name} is in the file when the answer is sent`, async (t) => {
    const record = path.join(tempFolder(t), 'record');
    const { app } = testApp(t, { record });
    let atAnswer: number[] | undefined;
    app.addHook('onSend', async () => {
      atAnswer = seqsIn(record);
    });
    const { statusCode } = await app.inject({ method: 'POST', url: route, payload: body });
    assert.equal(statusCode, 200);
    assert.deepEqual(
      atAnswer,
      Array.from({ length: calls }, (_, index) => index + 1),
    );
  });

test('a service that is killed right after an answer has left its record in the file', async (t) => {
  const folder = tempFolder(t);
  for (let round = 0; round < 3; round++) {
    const record = path.join(folder, `record-${round}`);
    const service = await startService(t, { args: ['--record', record, '--target', `out=${folder}/out`] });
    await post(`${service.url}/write`, WRITE);
    const exited = once(service.child, 'exit');
    service.child.kill('SIGKILL');
    await exited;
    assert.deepEqual(seqsIn(record), [1]);
  }
});

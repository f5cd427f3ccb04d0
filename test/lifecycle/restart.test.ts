// Tests many services at once, and restarts: a killed run must not keep the next one from working.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { CallRecord } from '../../src/protocol/records.js';
import { until } from '../support/app.js';
import { post, startService, tempFolder } from '../support/service.js';

test('twenty services run at once, each on its own port, and append to one file', async (t) => {
  const file = path.join(tempFolder(t), 'out');
  const services = await Promise.all(
    Array.from({ length: 20 }, () => startService(t, { args: ['--target', `out=${file}`] })),
  );
  assert.equal(new Set(services.map(({ url }) => url)).size, 20);
  const made = await Promise.all(
    services.map(({ write }, index) => write({ level: 'raw', target: 'out', msg: `${index}\n` })),
  );
  for (const { written, error, seq } of made)
    assert.deepEqual({ error, seq, some: written > 0 }, { error: null, seq: 1, some: true });
  assert.deepEqual(
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map(Number)
      .sort((a, b) => a - b),
    services.map((_, index) => index),
  );
  assert.deepEqual(
    await Promise.all(services.map(({ stop }) => stop())),
    services.map(() => 0),
  );
});

/** Parse a record file. `cut` counts the lines that are not JSON. */
function recordsIn(file: string): { records: CallRecord[]; cut: number } {
  const records: CallRecord[] = [];
  let cut = 0;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue;
    try {
      const value = JSON.parse(line);
      if (value.type === 'call') records.push(value);
    } catch {
      cut += 1;
    }
  }
  return { records, cut };
}

test('a service that was killed in a burst starts again at the same port and record file', async (t) => {
  const folder = tempFolder(t);
  const file = path.join(folder, 'records');
  const out = path.join(folder, 'out');
  const args = ['--record', file, '--target', `out=${out}`];
  let port = '0';
  for (let run = 1; run <= 5; run++) {
    const service = await startService(t, { args: [...args, '--port', port] });
    ({ port } = new URL(service.url));
    const before = recordsIn(file);
    const { requestId } = await service.write({ level: 'raw', target: 'out', msg: 'first\n' });
    const { records, cut } = recordsIn(file);
    assert.deepEqual(
      { last: records.at(-1)?.requestId, seq: records.at(-1)?.seq, count: records.length, cut },
      { last: requestId, seq: 1, count: before.records.length + 1, cut: before.cut },
      'the file grew by one whole line',
    );
    assert.ok(cut < run, `${cut} lines are cut, more than one per kill`);
    const burst = post(`${service.url}/bursts`, { level: 'raw', target: 'out', msg: 'x\n', count: 1e7 });
    await until(() => recordsIn(file).records.length >= before.records.length + 1000);
    const exited = once(service.child, 'exit');
    service.child.kill('SIGKILL');
    await assert.rejects(burst);
    assert.deepEqual(await exited, [null, 'SIGKILL']);
  }
});

test('after a last line that was cut, the record file continues on a new line', async (t) => {
  const file = path.join(tempFolder(t), 'records');
  appendFileSync(file, '{"type":"call","seq":1,"ti');
  const service = await startService(t, { args: ['--record', file] });
  await service.write({ level: 'raw', msg: 'x' });
  assert.equal(await service.stop(), 0);
  const { records, cut } = recordsIn(file);
  assert.deepEqual({ seqs: records.map(({ seq }) => seq), cut }, { seqs: [1], cut: 1 });
});

// SIGUSR1 rotates the record file, and never opens Node's debugger, which would run anybody's code without a token.
import assert from 'node:assert/strict';
import { readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startService, tempFolder } from '../support/service.js';

test('SIGUSR1 opens the record file again, and not the debugger', async (t) => {
  const file = path.join(tempFolder(t), 'record');
  const service = await startService(t, { args: ['--record', file] });
  await service.write({ level: 'raw', msg: 'x' });
  renameSync(file, `${file}.1`);
  service.child.kill('SIGUSR1');
  await service.logged('the record file was opened again');
  await service.write({ level: 'raw', msg: 'x' });
  assert.equal(await service.stop(), 0);
  const types = (name: string): string[] => readFileSync(name, 'utf8').match(/(?<="type":")\w+/g) ?? [];
  assert.deepEqual(
    [types(`${file}.1`), types(file)],
    [
      ['hello', 'call'],
      ['hello', 'call', 'end'],
    ],
  );
  assert.doesNotMatch(service.log.join('\n'), /Debugger/);
});

test('SIGUSR1 without a record file changes nothing', async (t) => {
  const service = await startService(t);
  for (let i = 0; i < 3; i++) service.child.kill('SIGUSR1');
  for (let i = 0; i < 20; i++) await service.write({ level: 'raw', msg: 'x' });
  assert.equal(await service.stop(), 0);
  assert.doesNotMatch(service.log.join('\n'), /Debugger/);
});

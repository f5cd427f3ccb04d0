// The log takes its lines to stderr, whatever the writes return.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '../../src/cli/log.js';
import { std } from '../../src/syscalls/levels/std.js';

test('a write that returns more than it was asked to write loses no further line', (t) => {
  const written: string[] = [];
  t.mock.method(std, 'write', (_fd: number, bytes: Uint8Array) => {
    written.push(String(bytes));
    return bytes.length + 1;
  });
  const log = openLog('info');
  for (const text of ['one', 'two', 'three']) log.info(text);
  assert.deepEqual(
    written.map((line) => JSON.parse(line).msg),
    ['one', 'two', 'three'],
  );
});

// Compares the names and messages of errors with Python's table and with libuv's.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { getSystemErrorMap } from 'node:util';
import { orThrow, osError } from '../../../src/syscalls/bindings/errno.js';
import { fcntl } from '../../../src/syscalls/targets/target.js';
import { need } from '../../support/tools.js';

test('osError returns null for a count', () => {
  assert.equal(osError(0), null);
  assert.equal(osError(65_536), null);
});

test('osError returns Python’s name and message for every errno that Python knows', (t) => {
  if (!need(t, { command: 'python3', package: 'python3' })) return;
  const script =
    'import errno, os, json; print(json.dumps({n: [c, os.strerror(n)] for n, c in errno.errorcode.items()}))';
  const table: Record<string, [string, string]> = JSON.parse(
    execFileSync('python3', ['-c', script], { encoding: 'utf8' }),
  );
  // These numbers have two names, and Python returns the other one.
  const same: Record<string, string> = { ENOTSUP: 'EOPNOTSUPP', EDEADLOCK: 'EDEADLK' };
  for (const [errno, [code, message]] of Object.entries(table))
    assert.deepEqual(osError(-Number(errno)), { code: same[code] ?? code, errno: Number(errno), message });
  assert.ok(Object.keys(table).length > 100);
});

test('osError returns libuv’s name for every errno that libuv knows', () => {
  for (const [negative, [code]] of getSystemErrorMap()) {
    // Numbers below −1000 are libuv's own: EOF, EAI_…
    if (negative > -1000 && code !== 'ENOTSUP') assert.equal(osError(negative)?.code, code);
  }
});

test('osError makes a code of the number for an errno without a name', () => {
  assert.deepEqual(osError(-4095), { code: 'E4095', errno: 4095, message: 'Unknown error 4095' });
});

test('orThrow throws an error like those of node:fs, with the name of the call', () => {
  assert.equal(orThrow(0, 'fcntl'), 0);
  assert.throws(() => orThrow(fcntl(-1, 3, 'int', 0), 'fcntl'), {
    message: 'EBADF: Bad file descriptor, fcntl',
    code: 'EBADF',
    errno: -9,
    syscall: 'fcntl',
  });
});

// −errno in words, held against others who know them: Python's table, and libuv's.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { getSystemErrorMap } from 'node:util';
import { orThrow, osError } from '../../../src/syscalls/bindings/errno.js';
import { fcntl } from '../../../src/syscalls/targets/target.js';
import { need } from '../../support/tools.js';

test('a count is no error', () => {
  assert.equal(osError(0), null);
  assert.equal(osError(65_536), null);
});

test('every errno that Python knows has the same name and the same words here', (t) => {
  if (!need(t, { command: 'python3', package: 'python3' })) return;
  const script =
    'import errno, os, json; print(json.dumps({n: [c, os.strerror(n)] for n, c in errno.errorcode.items()}))';
  const table: Record<string, [string, string]> = JSON.parse(
    execFileSync('python3', ['-c', script], { encoding: 'utf8' }),
  );
  // Two names for one number: Python gives either.
  const same: Record<string, string> = { ENOTSUP: 'EOPNOTSUPP', EDEADLOCK: 'EDEADLK' };
  for (const [errno, [code, message]] of Object.entries(table))
    assert.deepEqual(osError(-Number(errno)), { code: same[code] ?? code, errno: Number(errno), message });
  assert.ok(Object.keys(table).length > 100);
});

test('and as libuv knows them', () => {
  for (const [negative, [code]] of getSystemErrorMap()) {
    // Below −1000 are libuv's own: EOF, EAI_…
    if (negative > -1000 && code !== 'ENOTSUP') assert.equal(osError(negative)?.code, code);
  }
});

test('a number without a name still has its number', () => {
  assert.deepEqual(osError(-4095), { code: 'E4095', errno: 4095, message: 'Unknown error 4095' });
});

test('what libc refuses is an error as Node’s own are, with the name of the call', () => {
  assert.equal(orThrow(0, 'fcntl'), 0);
  assert.throws(() => orThrow(fcntl(-1, 3, 'int', 0), 'fcntl'), {
    message: 'EBADF: Bad file descriptor, fcntl',
    code: 'EBADF',
    errno: -9,
    syscall: 'fcntl',
  });
});

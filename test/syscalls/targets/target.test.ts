// Tests targets: they open as documented, never block, and restore their descriptors.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync, statSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { bind } from '../../../src/syscalls/bindings/libc.js';
import { adoptTarget, openTarget } from '../../../src/syscalls/targets/target.js';
import { waitForRoom } from '../../../src/syscalls/targets/wait-for-room.js';
import { flagsOf, isNonBlocking } from '../../support/descriptors.js';
import { openFifo, read, tempFolder } from '../../support/service.js';

test('openTarget creates a file, appends to it, and closes it', (t) => {
  const file = path.join(tempFolder(t), 'out');
  writeFileSync(file, 'before ');
  const target = openTarget('out', file);
  assert.deepEqual([target.name, target.kind, target.shared], ['out', 'file', false]);
  writeFileSync(file, 'others ', { flag: 'a' });
  writeSync(target.fd, 'us');
  target.close();
  assert.equal(readFileSync(file, 'utf8'), 'before others us');
  assert.throws(() => writeSync(target.fd, 'x'), { code: 'EBADF' });
  const fresh = openTarget('fresh', path.join(file, '..', 'fresh'));
  const { size, mode } = statSync(path.join(file, '..', 'fresh'));
  assert.deepEqual([size, mode & 0o777], [0, 0o600], 'only its owner may read it');
  fresh.close();
});

test('openTarget opens a FIFO or a device without blocking', (t) => {
  const { path: fifo, writer } = openFifo(t);
  const pipe = openTarget('pipe', fifo);
  assert.deepEqual([pipe.kind, isNonBlocking(pipe.fd)], ['pipe', true]);
  pipe.close();
  closeSync(writer);
  const full = openTarget('full', '/dev/full');
  assert.equal(full.kind, 'device');
  full.close();
});

test('openTarget fails with ENXIO for a FIFO without a reader, EISDIR for a folder, ENOENT for a missing folder', (t) => {
  const folder = tempFolder(t);
  execFileSync('mkfifo', [path.join(folder, 'fifo')]);
  assert.throws(() => openTarget('a', path.join(folder, 'fifo')), { code: 'ENXIO' });
  assert.throws(() => openTarget('a', folder), { code: 'EISDIR' });
  assert.throws(() => openTarget('a', path.join(folder, 'no/file')), { code: 'ENOENT' });
});

test('adoptTarget makes a pipe non-blocking for itself only, keeps its number, and close() restores it', async (t) => {
  const { reader, writer } = openFifo(t);
  const other = openSync(`/proc/self/fd/${writer}`, 'w');
  const target = adoptTarget('stdout', writer);
  assert.deepEqual([target.fd, target.kind, target.shared], [writer, 'pipe', false]);
  assert.deepEqual([isNonBlocking(writer), isNonBlocking(other)], [true, false]);
  writeSync(writer, 'still the same pipe');
  assert.equal(String(await read(reader, 19)), 'still the same pipe');
  target.close();
  assert.equal(isNonBlocking(writer), false);
  closeSync(writer);
  closeSync(other);
});

test('adoptTarget leaves the read end of a pipe read-only, so that the kernel refuses writes with EBADF', (t) => {
  const { path: fifo } = openFifo(t);
  const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const target = adoptTarget('stdout', fd);
  assert.throws(() => writeSync(fd, 'x'), { code: 'EBADF' });
  target.close();
  closeSync(fd);
});

test('adoptTarget keeps a descriptor for reading and writing, and the other flags', (t) => {
  const { path: fifo } = openFifo(t);
  const fd = openSync(fifo, constants.O_RDWR | constants.O_APPEND);
  const before = flagsOf(fd);
  const target = adoptTarget('stdout', fd);
  assert.equal(flagsOf(fd), before | constants.O_NONBLOCK);
  target.close();
  assert.equal(flagsOf(fd), before);
  closeSync(fd);
});

test('adoptTarget keeps a pipe in packet mode: each write stays a message of its own', async (t) => {
  const pipe2 = bind<(ends: Int32Array, flags: number) => number>('int pipe2(_Out_ int *ends, int flags)');
  const ends = new Int32Array(2);
  assert.equal(pipe2(ends, constants.O_DIRECT), 0);
  const [reader, writer] = ends as unknown as [number, number];
  t.after(() => {
    closeSync(reader);
    closeSync(writer);
  });
  const target = adoptTarget('stdout', writer);
  assert.equal(isNonBlocking(writer), true);
  writeSync(writer, 'aa');
  writeSync(writer, 'bbb');
  const buffer = Buffer.alloc(100);
  assert.equal(readSync(reader, buffer), 2);
  assert.equal(readSync(reader, buffer), 3);
  target.close();
});

test('adoptTarget keeps the offset and the flags of a file', (t) => {
  const file = path.join(tempFolder(t), 'out');
  const fd = openSync(file, 'w');
  writeSync(fd, 'one ');
  const before = flagsOf(fd);
  const target = adoptTarget('stdout', fd);
  writeSync(target.fd, 'two');
  assert.equal(flagsOf(fd), before);
  target.close();
  assert.equal(readFileSync(file, 'utf8'), 'one two');
  closeSync(fd);
});

test('adoptTarget fails with EBADF for a descriptor that is not open', () => {
  assert.throws(() => adoptTarget('stdout', 12_345), { code: 'EBADF' });
});

test('waitForRoom returns true when a write would not block, and false after the deadline or an abort', async (t) => {
  const { reader, writer, path: fifo } = openFifo(t);
  const { fd, close } = openTarget('pipe', fifo);
  const never = new AbortController().signal;
  const after = (ms: number): number => performance.now() + ms;
  assert.equal(await waitForRoom(fd, after(10_000), never), true);
  writeSync(fd, Buffer.alloc(65_536));
  const before = performance.now();
  assert.equal(await waitForRoom(fd, after(50), never), false);
  assert.ok(performance.now() - before >= 50);
  const controller = new AbortController();
  const aborted = waitForRoom(fd, after(60_000), controller.signal);
  controller.abort();
  assert.equal(await aborted, false);
  const [room] = await Promise.all([waitForRoom(fd, after(10_000), never), read(reader, 65_536)]);
  assert.equal(room, true);
  writeSync(fd, Buffer.alloc(65_536));
  reader.destroy();
  assert.equal(await waitForRoom(fd, after(10_000), never), true, 'a write would fail with EPIPE, not block');
  close();
  assert.equal(
    await waitForRoom(2_147_483_646, after(10_000), never),
    true,
    'a write would fail with EBADF, not block',
  );
  closeSync(writer);
});

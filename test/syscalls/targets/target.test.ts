// Targets: opened as promised, never blocking, and put back as they were.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { adoptTarget, openTarget } from '../../../src/syscalls/targets/target.js';
import { waitForRoom } from '../../../src/syscalls/targets/wait.js';
import { openFifo, read, tempFolder } from '../../support/service.js';

const flagsOf = (fd: number): number =>
  Number.parseInt(/^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '', 8);
const isNonBlocking = (fd: number): boolean => (flagsOf(fd) & constants.O_NONBLOCK) !== 0;

test('a file is created, appended to, and closed', (t) => {
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
  assert.equal(statSync(path.join(file, '..', 'fresh')).size, 0);
  fresh.close();
});

test('a FIFO or a device is opened as it is, without blocking', (t) => {
  const { path: fifo, writer } = openFifo(t);
  const pipe = openTarget('pipe', fifo);
  assert.deepEqual([pipe.kind, isNonBlocking(pipe.fd)], ['pipe', true]);
  pipe.close();
  closeSync(writer);
  const full = openTarget('full', '/dev/full');
  assert.equal(full.kind, 'device');
  full.close();
});

test('a FIFO without a reader is ENXIO, a folder EISDIR, a path that cannot be ENOENT', (t) => {
  const folder = tempFolder(t);
  execFileSync('mkfifo', [path.join(folder, 'fifo')]);
  assert.throws(() => openTarget('a', path.join(folder, 'fifo')), { code: 'ENXIO' });
  assert.throws(() => openTarget('a', folder), { code: 'EISDIR' });
  assert.throws(() => openTarget('a', path.join(folder, 'no/file')), { code: 'ENOENT' });
});

test('an adopted pipe: non-blocking on the same number, others undisturbed, and put back', async (t) => {
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

test('an adopted file keeps its offset, and its flags', (t) => {
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

test('a descriptor that is not open is EBADF', () => {
  assert.throws(() => adoptTarget('stdout', 12_345), { code: 'EBADF' });
});

test('waiting for room: at once when there is, false when time is up or nobody waits any more', async (t) => {
  const { reader, writer, path: fifo } = openFifo(t);
  const { fd, close } = openTarget('pipe', fifo);
  const patient = new AbortController().signal;
  const soon = (ms: number): number => performance.now() + ms;
  assert.equal(await waitForRoom(fd, soon(10_000), patient), true);
  writeSync(fd, Buffer.alloc(65_536));
  const before = performance.now();
  assert.equal(await waitForRoom(fd, soon(50), patient), false);
  assert.ok(performance.now() - before >= 50);
  const impatient = new AbortController();
  const aborted = waitForRoom(fd, soon(60_000), impatient.signal);
  impatient.abort();
  assert.equal(await aborted, false);
  const [room] = await Promise.all([waitForRoom(fd, soon(10_000), patient), read(reader, 65_536)]);
  assert.equal(room, true);
  writeSync(fd, Buffer.alloc(65_536));
  reader.destroy();
  assert.equal(await waitForRoom(fd, soon(10_000), patient), true, 'an error is something to be told of');
  close();
  assert.equal(await waitForRoom(2_147_483_646, soon(10_000), patient), true, 'so is a descriptor that is none');
  closeSync(writer);
});

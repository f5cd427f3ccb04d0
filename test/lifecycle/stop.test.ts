// Tests that the service stops in time, whatever its clients do or leave undone.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { until } from '../support/app.js';
import { isNonBlocking } from '../support/descriptors.js';
import { callsMade, MAIN, openFifo, post, startService } from '../support/service.js';

const UPGRADE =
  'GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const PAGE = 'GET /events?limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n';

const UNFINISHED: Record<string, string> = {
  'without a byte': '',
  'with half of its headers': 'POST /write HTTP/1.1\r\nHost: localhost\r\n',
  'with headers and half of its body':
    'POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  // Both are refused, and Node itself no longer closes their connections.
  'with an upgrade and half of its body': `${UPGRADE}Content-Length: 100\r\n\r\n{`,
  'with an upgrade behind answers that are not read': `${PAGE.repeat(3)}${UPGRADE}\r\n`,
};

for (const [name, sent] of Object.entries(UNFINISHED)) {
  test(`a connection ${name} does not delay the stop`, async (t) => {
    const service = await startService(t);
    // Three pages of such records are more than the kernel takes for a client that does not read.
    await post(`${service.url}/bursts`, { level: 'raw', target: 'full', msg: '\u0001'.repeat(64), count: 10_000 });
    const { hostname, port } = new URL(service.url);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    if (sent) await new Promise((resolve) => socket.write(sent, resolve));
    // The answer shows that the service has read what this connection sent before.
    await service.records();
    const before = performance.now();
    assert.equal(await service.stop(), 0);
    assert.ok(performance.now() - before < 3500, `${performance.now() - before} ms`);
  });
}

test('writes that wait at twelve targets delay the stop no longer than one such write', async (t) => {
  const fifos = Array.from({ length: 12 }, () => openFifo(t));
  const service = await startService(t, {
    args: fifos.flatMap(({ path }, index) => ['--target', `p${index}=${path}`]),
  });
  for (const { writer } of fifos) closeSync(writer);
  const all = (body: object) =>
    Promise.all(fifos.map((_, index) => service.write({ level: 'raw', target: `p${index}`, ...body })));
  await all({ msg: 'x'.repeat(65_536) });
  const before = performance.now();
  for (const { error } of await all({ msg: 'y', timeoutMs: 400 })) assert.equal(error?.code, 'EAGAIN');
  assert.ok(performance.now() - before < 4000, `timeoutMs 400 took ${performance.now() - before} ms`);
  const waiting = all({ msg: 'y', timeoutMs: 60_000 });
  await callsMade(service, 36);
  const stopped = performance.now();
  const [exit, results] = await Promise.all([service.stop(), waiting]);
  assert.equal(exit, 0);
  for (const { error } of results) assert.equal(error?.code, 'EAGAIN');
  assert.ok(performance.now() - stopped < 8000, `${performance.now() - stopped} ms`);
});

test('SIGTERM while the service starts: it stops with 0', async (t) => {
  const { writer } = openFifo(t);
  const child = spawn(process.execPath, [MAIN, '--port', '0'], { stdio: ['ignore', writer, writer] });
  const exited = once(child, 'exit');
  t.after(() => child.kill('SIGKILL'));
  await until(() => isNonBlocking(2, child.pid));
  // Now the signal handlers are installed, and the modules are still loading.
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
  closeSync(writer);
});

test('stdout and stderr on one pipe are non-blocking for the service only', async (t) => {
  const { reader, writer } = openFifo(t);
  const child = spawn(process.execPath, [MAIN, '--port', '0'], { stdio: ['ignore', writer, writer] });
  const exited = once(child, 'exit');
  t.after(() => child.kill('SIGKILL'));
  const { value: line } = await createInterface(reader)[Symbol.asyncIterator]().next();
  assert.match(line, /listening/);
  // Checked while the service runs, because at exit Node restores the flags that it set itself.
  for (const fd of [1, 2]) assert.ok(isNonBlocking(fd, child.pid));
  assert.ok(!isNonBlocking(writer), 'the pipe still blocks for the test');
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
  closeSync(writer);
});

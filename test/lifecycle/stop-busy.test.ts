// Tests a stop while requests run: the service answers them, and answers, bytes and records agree.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, readFileSync, statSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { text as consume } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { BurstResult, WriteResult, WritesResult } from '../../src/protocol/calls.js';
import type { Problem } from '../../src/protocol/problem.js';
import type { CallRecord } from '../../src/protocol/records.js';
import { until } from '../support/app.js';
import { callsMade, openFifo, post, read, type Service, startService, tempFolder } from '../support/service.js';
import { fresh, subscribe } from '../support/watcher.js';

const CAPACITY = 65_536;

/** Stop the service. It has 5 s; the limit leaves room for a busy machine. */
async function stopInTime({ stop }: Service): Promise<void> {
  const before = performance.now();
  assert.equal(await stop(), 0);
  assert.ok(performance.now() - before < 8000, `${performance.now() - before} ms`);
}

const recordsIn = (file: string): CallRecord[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === 'call');

/** Start a service with a full pipe as its target `pipe`, and with its records in `file`. */
async function startWithFullPipe(t: TestContext): Promise<{ service: Service; reader: Socket; file: string }> {
  const fifo = openFifo(t);
  const file = path.join(tempFolder(t), 'records');
  const service = await startService(t, { args: ['--target', `pipe=${fifo.path}`, '--record', file] });
  closeSync(fifo.writer);
  const { written } = await service.write({ level: 'raw', target: 'pipe', msg: 'x'.repeat(1 << 20) });
  assert.equal(written, CAPACITY);
  return { service, reader: fifo.reader, file };
}

test('a stop answers a waiting write with EAGAIN, and the writes queued behind it with 503', async (t) => {
  const { service, reader, file } = await startWithFullPipe(t);
  const write = { level: 'raw', target: 'pipe', msg: 'y', timeoutMs: 60_000 };
  const first = service.write(write);
  await callsMade(service, 2);
  const queued = Array.from({ length: 20 }, () => post(`${service.url}/write`, write));
  // This request is in the same queue, but its first write goes to another target and is made at once.
  const mixed = post(`${service.url}/writes`, {
    writes: [{ level: 'os', target: 'full', msg: 'z' }, write, ...Array.from({ length: 500 }, () => write)],
    // Read at once: Node 24's fetch fails an assertion when a connection ends before its answer was read.
  }).then((answer) => answer.json() as Promise<WritesResult>);
  await callsMade(service, 3);
  await stopInTime(service);

  const { written, calls, error } = await first;
  assert.deepEqual({ written, calls, code: error?.code }, { written: 0, calls: 1, code: 'EAGAIN' });
  for (const answer of await Promise.all(queued)) {
    assert.equal(answer.status, 503);
    assert.match(((await answer.json()) as Problem).detail, /the service is stopping, so no call was made/);
  }
  const { results } = await mixed;
  const [made, ...rest] = results;
  assert.equal((made as WriteResult).error?.code, 'ENOSPC');
  assert.equal(rest.length, 501);
  for (const { status, detail } of rest as Problem[])
    assert.deepEqual(
      { status, detail },
      { status: 503, detail: 'the service is stopping, so no call was made: try again later' },
    );

  assert.deepEqual(
    recordsIn(file).map(({ requestId, target, error }) => [requestId, target, error?.code]),
    [
      [recordsIn(file)[0]?.requestId, 'pipe', undefined],
      [(await first).requestId, 'pipe', 'EAGAIN'],
      [(made as WriteResult).requestId, 'full', 'ENOSPC'],
    ],
  );
  await read(reader, CAPACITY);
  reader.resume();
  await once(reader, 'end');
  assert.equal(reader.bytesRead, CAPACITY, 'the refused writes wrote nothing');
});

for (const ratePerSecond of [undefined, 20_000]) {
  test(`a stop cuts a burst (${ratePerSecond ?? 'no'} calls/s limit): answer and subscribers have each call made`, async (t) => {
    const out = path.join(tempFolder(t), 'out');
    const file = path.join(tempFolder(t), 'records');
    const service = await startService(t, { args: ['--target', `out=${out}`, '--record', file] });
    const body = { level: 'raw', target: 'out', msg: 'x', count: ratePerSecond ? 1e6 : 1e7, ratePerSecond };
    const account = fresh(1);
    const subscriber = subscribe(service.url, account);
    t.after(() => subscriber.terminate());
    await once(subscriber, 'message');
    const burst = post(`${service.url}/bursts`, body);
    const goodbye = once(subscriber, 'close');
    await callsMade(service, 1000);
    await stopInTime(service);
    const answer = await burst;
    const { count, written, errors, firstSeq, lastSeq } = (await answer.json()) as BurstResult;
    assert.equal(answer.status, 200);
    assert.ok(count >= 1000 && count < body.count);
    assert.deepEqual(
      { written, errors, firstSeq, lastSeq },
      { written: count, errors: {}, firstSeq: 1, lastSeq: count },
    );
    assert.equal(statSync(out).size, count, 'the target file has one byte per call');
    assert.equal((await goodbye)[0], 1001);
    assert.equal(
      account.delivered + account.lost,
      count,
      'a subscriber that got a 1001 has a record or a gap for each call',
    );
    // Of bytes, since a string may be too short for them.
    const records = readFileSync(file);
    let lines = 0;
    for (let at = records.indexOf('\n'); at >= 0; at = records.indexOf('\n', at + 1)) lines += 1;
    assert.equal(lines, count + 2, 'the record file has one line per call, after a hello and before an end');
    assert.equal(JSON.parse(String(records.subarray(records.lastIndexOf('\n', -2)))).last, lastSeq);
  });
}

test('a burst whose body comes during a stop: subscribers receive each of its calls', async (t) => {
  const service = await startService(t);
  const account = fresh(1);
  const subscriber = subscribe(service.url, account);
  t.after(() => subscriber.terminate());
  await once(subscriber, 'message');
  const waiting = service.write({ level: 'raw', target: 'stuck-pipe', msg: 'x', timeoutMs: 1500 });
  await callsMade(service, 1);
  const body = JSON.stringify({ level: 'raw', target: 'full', msg: 'x', count: 20_000, ratePerSecond: 10_000 });
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  const asked = request(`${service.url}/bursts`, { method: 'POST', headers });
  // 100 Continue shows that the service has read the headers.
  asked.setHeader('expect', '100-continue').flushHeaders();
  await once(asked, 'continue');
  const goodbye = once(subscriber, 'close');
  const exited = once(service.child, 'exit');
  service.child.kill('SIGTERM');
  await service.logged('"msg":"stopping"');
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const { lastSeq } = JSON.parse(await consume(answer)) as BurstResult;
  await waiting;
  assert.equal((await goodbye)[0], 1001);
  assert.ok(lastSeq > 1);
  assert.equal(account.next - 1, lastSeq);
  assert.deepEqual(await exited, [0, null]);
});

/**
 * Read the kernel's send queue of each connection to a port, in bytes.
 * https://docs.kernel.org/networking/proc_net_tcp.html
 */
function readSendQueues(port: number): number[] {
  const at = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = [...readFileSync('/proc/net/tcp', 'latin1').matchAll(/^ *\d+: \w+:(\w+) \w+:\w+ 01 (\w+):/gm)];
  return lines.filter(([, local]) => local === at).map(([, , queue]) => Number.parseInt(queue as string, 16));
}

test('a stop during a burst is in time despite fifty stalled subscribers and twenty idle connections', async (t) => {
  const service = await startService(t);
  const { hostname, port, host } = new URL(service.url);
  const open = async (request: string): Promise<Socket> => {
    const socket = connect(Number(port), hostname).on('error', () => {});
    t.after(() => socket.destroy());
    socket.pause();
    await once(socket, 'connect');
    socket.write(`${request}\r\nHost: ${host}\r\n`);
    return socket;
  };
  for (let i = 0; i < 50; i++) {
    const socket = await open('GET /events HTTP/1.1');
    socket.write(
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
  }
  for (let i = 0; i < 20; i++) {
    const socket = await open('GET /health HTTP/1.1');
    socket.write('\r\n');
    // After this answer the connection is kept alive, and stays idle.
    while (!String((await once(socket.resume(), 'data'))[0]).includes('"status":"ok"'));
  }
  const burst = post(`${service.url}/bursts`, { level: 'raw', target: 'full', msg: 'x'.repeat(64), count: 1e7 });
  await until(() => readSendQueues(Number(port)).filter((bytes) => bytes > 100_000).length === 50);
  await stopInTime(service);
  const { count, firstSeq, lastSeq, errors } = (await (await burst).json()) as BurstResult;
  assert.deepEqual({ firstSeq, lastSeq, errors }, { firstSeq: 1, lastSeq: count, errors: { ENOSPC: count } });
});

test('a record file that is a full FIFO does not delay the stop', async (t) => {
  const fifo = openFifo(t);
  const service = await startService(t, { args: ['--record', fifo.path] });
  closeSync(fifo.writer);
  await post(`${service.url}/bursts`, { level: 'raw', target: 'full', msg: 'x', count: 10_000 });
  await service.logged('the record file takes nothing');
  await stopInTime(service);
});

// GET /metrics counts what the service did, and clients cannot add labels without end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { CallRecord } from '../../../src/protocol/records.js';
import { BUCKET_ENDS, createCounters } from '../../../src/server/metrics/counters.js';
import { createMetrics } from '../../../src/server/metrics/prometheus.js';
import { witnessAvailability } from '../../../src/syscalls/index.js';
import { listen, type TestApp, testApp, until } from '../../support/app.js';
import { openFifo, read } from '../../support/service.js';
import { watch } from '../../support/watcher.js';
import { withoutWitness } from '../../support/without-witness.js';

/** Returns every sample: `name{label="value"}` → number. */
async function metricsOf({ app }: TestApp): Promise<Map<string, number>> {
  const { statusCode, headers, body } = await app.inject('/metrics');
  assert.deepEqual([statusCode, headers['content-type']], [200, 'text/plain; version=0.0.4; charset=utf-8']);
  const samples = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const [, name = '', value] = /^(\w+(?:\{(?:[a-z_]+="[^"]*",?)*\})?) (\S+)$/.exec(line) ?? [];
      assert.ok(name, line);
      assert.ok(Number.isFinite(Number(value)), line);
      return [name, Number(value)];
    }),
  );
}

test('calls are counted by level, target and error, bytes by level and target, durations by level', async (t) => {
  const test = testApp(t);
  for (const level of ['raw', 'raw', 'std']) await test.post({ level, target: 'out', msg: 'four' });
  for (const target of ['full', 'full', 'sealed']) await test.post({ level: 'os', target, msg: 'x' });
  await test.post({ level: 'raw', target: 'out', msg: 'z', count: 1000 }, {}, '/bursts');
  const metrics = await metricsOf(test);
  const calls = [...metrics].filter(([name, value]) => name.startsWith('syswire_calls_total') && value > 0);
  assert.deepEqual(Object.fromEntries(calls), {
    'syswire_calls_total{level="raw",target="out",code="OK"}': 1002,
    'syswire_calls_total{level="std",target="out",code="OK"}': 1,
    'syswire_calls_total{level="os",target="full",code="ENOSPC"}': 2,
    'syswire_calls_total{level="os",target="sealed",code="EPERM"}': 1,
  });
  assert.equal(metrics.get('syswire_written_bytes_total{level="raw",target="out"}'), 1008);
  assert.equal(metrics.get('syswire_written_bytes_total{level="os",target="full"}'), 0);
  const { events } = (await test.app.inject('/events?level=raw&limit=10000')).json<{
    events: { durationNs: number }[];
  }>();
  const upTo = (end: number): number => events.filter(({ durationNs }) => durationNs <= end).length;
  for (const end of BUCKET_ENDS)
    assert.equal(
      metrics.get(`syswire_call_duration_seconds_bucket{le="${end / 1e9}",level="raw"}`),
      upTo(end),
      `${end}`,
    );
  assert.equal(metrics.get('syswire_call_duration_seconds_bucket{le="+Inf",level="raw"}'), 1002);
  assert.equal(metrics.get('syswire_call_duration_seconds_count{level="raw"}'), 1002);
  const sum = events.reduce((all, { durationNs }) => all + durationNs, 0);
  assert.ok(Math.abs((metrics.get('syswire_call_duration_seconds_sum{level="raw"}') ?? 0) - sum / 1e9) < 1e-9);
  assert.equal(metrics.get('syswire_call_duration_seconds_count{level="uring"}'), undefined);
});

test('a duration is counted in the first bucket whose end it does not exceed', () => {
  for (const [ns, bucket] of [
    [0, 0],
    [1, 0],
    [128, 0],
    [129, 1],
    [256, 1],
    [257, 2],
    [2 ** 30, 23],
    [2 ** 30 + 1, 24],
    [2 ** 31 + 1, 24],
    [2 ** 33, 24],
  ] as const) {
    const counters = createCounters(1, 1);
    counters.call({ level: 0, target: 0, bytes: Buffer.from('x'), result: 1, durationNs: ns, report: null });
    assert.equal(counters.durations()[0]?.durations.buckets.indexOf(1), bucket, `${ns} ns`);
  }
});

test('answers are counted by method, route and status, and unknown paths share an empty route', async (t) => {
  const test = testApp(t);
  const url = await listen(test.app);
  for (let i = 0; i < 3; i++) await test.app.inject(`/nowhere/${i}`);
  await test.app.inject({ method: 'PUT', url: '/write' });
  await test.post('{');
  await fetch(`${url}/%zz`);
  const { socket } = watch(t, url);
  await once(socket, 'message');
  const garbage = connect(Number(new URL(url).port), '127.0.0.1');
  garbage.end('garbage\r\n\r\n').resume();
  await once(garbage, 'close');
  const metrics = await metricsOf(test);
  const counted = [...metrics].filter(([name]) => name.startsWith('syswire_http_requests_total'));
  assert.deepEqual(Object.fromEntries(counted), {
    'syswire_http_requests_total{method="GET",route="",status="404"}': 3,
    'syswire_http_requests_total{method="PUT",route="",status="405"}': 1,
    'syswire_http_requests_total{method="POST",route="/write",status="400"}': 1,
    'syswire_http_requests_total{method="GET",route="/events",status="101"}': 1,
    'syswire_http_requests_total{method="",route="",status="400"}': 1,
    'syswire_http_requests_total{method="GET",route="",status="400"}': 1,
  });
});

const HEAD = 'POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
/** Requests that Node's HTTP parser refuses after their route has begun to read the body. */
const BROKEN_BODIES: Record<string, { send: string; counted: Record<string, number> }> = {
  'a broken chunk': {
    send: `${HEAD}Transfer-Encoding: chunked\r\n\r\nZZ\r\n`,
    counted: { 'syswire_http_requests_total{method="",route="",status="400"}': 1 },
  },
  'a body that ends early': {
    send: `${HEAD}Content-Length: 100\r\n\r\n{`,
    counted: { 'syswire_http_requests_total{method="",route="",status="400"}': 1 },
  },
};

for (const [name, { send, counted }] of Object.entries(BROKEN_BODIES))
  test(`a request with ${name} is answered once and counted once`, async (t) => {
    const test = testApp(t);
    const { hostname, port } = new URL(await listen(test.app));
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    let answers = '';
    socket.on('data', (chunk) => {
      answers += chunk;
    });
    socket.end(send);
    await once(socket, 'end');
    assert.equal(answers.match(/^HTTP\/1\.1 /gm)?.length, 1);
    await until(async () => (await metricsOf(test)).get('syswire_connections') === 0);
    const all = [...(await metricsOf(test))].filter(
      ([name]) => name.startsWith('syswire_http_requests_total') && !name.includes('/metrics'),
    );
    assert.deepEqual(Object.fromEntries(all), counted);
  });

test('records delivered and lost, subscribers and connections are counted', async (t) => {
  const test = testApp(t, { history: 100 });
  const url = await listen(test.app);
  const watcher = watch(t, url, '?since=1');
  await watcher.until(({ length }) => length === 1);
  await test.post({ level: 'raw', target: 'out', msg: 'x', count: 50 }, {}, '/bursts');
  await watcher.until(({ length }) => length === 51);
  const live = await metricsOf(test);
  assert.equal(live.get('syswire_subscribers'), 1);
  assert.equal(live.get('syswire_connections'), 1);
  assert.equal(live.get('syswire_records_delivered_total{reader="stream"}'), 50);
  const closed = once(watcher.socket, 'close');
  watcher.socket.close();
  await closed;
  await test.post({ level: 'raw', target: 'out', msg: 'x', count: 450 }, {}, '/bursts');
  const late = watch(t, url, '?since=51');
  await late.until(({ length }) => length === 102);
  const after = await metricsOf(test);
  assert.equal(after.get('syswire_records_delivered_total{reader="stream"}'), 150);
  assert.equal(after.get('syswire_records_lost_total{reader="stream"}'), 350);
  assert.equal(after.get('syswire_records_lost_total{reader="file"}'), 0);
});

test('writes that wait are counted by target', async (t) => {
  const fifo = openFifo(t);
  const test = testApp(t, { targets: { pipe: fifo.path } });
  closeSync(fifo.writer);
  const send = async (msg: string) =>
    (await test.post({ level: 'raw', target: 'pipe', msg, timeoutMs: 30_000 })).statusCode;
  const waiting = [send('x'.repeat(100_000)), send('y')];
  let metrics = await metricsOf(test);
  await until(async () => {
    metrics = await metricsOf(test);
    return metrics.get('syswire_waiting_writes{target="pipe"}') === 2;
  });
  assert.equal(metrics.get('syswire_waiting_writes{target="out"}'), 0);
  await read(fifo.reader, 100_001);
  assert.deepEqual(await Promise.all(waiting), [200, 200]);
  assert.equal((await metricsOf(test)).get('syswire_waiting_writes{target="pipe"}'), 0);
});

test('witnessed calls are counted by level, and verdicts that do not agree', async (t) => {
  const { reason } = witnessAvailability();
  if (reason !== null) return t.skip(reason);
  const fifo = openFifo(t);
  const test = testApp(t, { targets: { pipe: fifo.path } });
  closeSync(fifo.writer);
  const send = async (body: object, url = '/write') =>
    (await test.post({ level: 'os', target: 'out', msg: 'x', witness: true, ...body }, {}, url)).json();
  const counted = async (): Promise<Record<string, number>> =>
    Object.fromEntries([...(await metricsOf(test))].filter(([name]) => name.startsWith('syswire_witness')));
  await send({ witness: false });
  assert.deepEqual(await counted(), {});
  await send({});
  await send({ level: 'std', count: 100 }, '/bursts');
  const msg = 'y'.repeat(66_000);
  const waiting = send({ level: 'raw', target: 'pipe', msg, timeoutMs: 30_000 });
  const records = async (): Promise<CallRecord[]> => (await test.app.inject('/events?level=raw')).json().events;
  await until(async () => (await records()).some(({ error }) => error?.code === 'EAGAIN'));
  const { calls } = await withoutWitness(async () => {
    await read(fifo.reader, msg.length);
    return waiting;
  });
  const unseen = (await records()).filter(({ verdict }) => verdict !== 'agrees').length;
  assert.ok(unseen > 0 && unseen < calls, `${unseen} of ${calls}`);
  assert.deepEqual(await counted(), {
    'syswire_witnessed_calls_total{level="raw"}': calls,
    'syswire_witnessed_calls_total{level="os"}': 1,
    'syswire_witnessed_calls_total{level="std"}': 100,
    'syswire_witness_disagreements_total{level="raw"}': unseen,
    'syswire_witness_disagreements_total{level="os"}': 0,
    'syswire_witness_disagreements_total{level="std"}': 0,
  });
});

test('memory, descriptors and event loop lag of the process are among the metrics', async (t) => {
  const app = testApp(t);
  let metrics = await metricsOf(app);
  // The lag is measured from the first scrape on, every 10 ms.
  await until(async () => {
    metrics = await metricsOf(app);
    return metrics.get('nodejs_eventloop_lag_p99_seconds') !== 0;
  });
  for (const name of ['process_resident_memory_bytes', 'process_open_fds', 'nodejs_eventloop_lag_p99_seconds'])
    assert.ok((metrics.get(name) ?? 0) > 0, name);
  for (const [name, value] of metrics) if (name.startsWith('nodejs_eventloop_lag')) assert.ok(value < 1000, name);
});

/** The rules of `promtool check metrics`: https://prometheus.io/docs/practices/naming/ */
const NAMING: Record<string, (name: string, type: string, help: string) => boolean> = {
  'has a help text': (_name, _type, help) => help !== '',
  'ends in _total if and only if it is a counter': (name, type) => name.endsWith('_total') === (type === 'counter'),
  'ends in _count, _sum, _bucket or _info only where that is right': (name, type) =>
    !/_(count|sum|bucket)$/.test(name) && (!name.endsWith('_info') || type === 'gauge'),
  'has no type in its name': (name) => !/(^|_)(counter|gauge|histogram|summary)(_|$)/.test(name),
  'is in snake case': (name) => /^[a-z][a-z0-9_]*$/.test(name),
  'is in base units': (name) =>
    !/_(ms|us|ns|milliseconds|microseconds|nanoseconds|minutes|hours|kilobytes|megabytes|bits)(_|$)/.test(name),
};

test('every metric has a name by the rules of promtool, those of prom-client too', async (t) => {
  const { app } = testApp(t);
  const { body } = await app.inject('/metrics');
  const helps = new Map(Array.from(body.matchAll(/^# HELP (\S+) (.*)$/gm), ([, name = '', help = '']) => [name, help]));
  const types = Array.from(body.matchAll(/^# TYPE (\S+) (\S+)$/gm));
  assert.ok(types.length > 30);
  for (const [, name = '', type = ''] of types)
    for (const [rule, holds] of Object.entries(NAMING))
      assert.ok(holds(name, type, helps.get(name) ?? ''), `${name}, a ${type}: ${rule}`);
});

test('requests of one turn of the event loop share one text, until something is counted', async () => {
  const counters = createCounters(1, 1);
  let readings = 0;
  const none = { delivered: 0, lost: 0 };
  const metrics = createMetrics({
    counters,
    targets: [],
    connections: () => ++readings,
    subscribers: () => 0,
    waiting: () => [],
    deliveries: { stream: none, file: none },
  });
  const texts = await Promise.all(Array.from({ length: 1000 }, metrics));
  assert.deepEqual([new Set(texts).size, readings], [1, 1]);
  const [before, after] = await Promise.all([
    metrics(),
    (() => {
      counters.limit('bursts');
      return metrics();
    })(),
  ]);
  assert.match(before, /^syswire_limited_total\{limit="bursts"\} 0$/m);
  assert.match(after, /^syswire_limited_total\{limit="bursts"\} 1$/m);
  await new Promise(setImmediate);
  const read = readings;
  await metrics();
  assert.equal(readings, read + 1);
});

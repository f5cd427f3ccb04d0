// The field `witness` of requests that make calls: the four fields of answers, records and bursts, and a service that
// witnesses every call.
import assert from 'node:assert/strict';
import { closeSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { BurstResult, WriteResult, WritesResult } from '../../../src/protocol/calls.js';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import type { Problem } from '../../../src/protocol/problem.js';
import type { CallRecord } from '../../../src/protocol/records.js';
import type { Levels } from '../../../src/protocol/service.js';
import type { WitnessReport } from '../../../src/protocol/system-call.js';
import { buildApp } from '../../../src/server/app.js';
import { levels, witnessAvailability } from '../../../src/syscalls/index.js';
import { listen, type TestApp, testApp, until } from '../../support/app.js';
import { openFifo, read, tempFolder } from '../../support/service.js';
import { watch } from '../../support/watcher.js';
import { withoutWitness } from '../../support/without-witness.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
const { reason } = witnessAvailability();
const here = { skip: reason ?? false };
const FIELDS = ['systemCalls', 'complete', 'dropped', 'verdict'];

type Body = Record<string, unknown>;
type Seen = WriteResult & WitnessReport;

const send = async (app: TestApp, body: Body): Promise<Seen> =>
  (await app.post({ level: 'raw', msg: 'hello', target: 'out', witness: true, ...body })).json<Seen>();
const sendBurst = async (app: TestApp, body: Body): Promise<BurstResult> =>
  (await app.post({ level: 'raw', msg: 'x', target: 'out', count: 100, ...body }, {}, '/bursts')).json<BurstResult>();
const recordsOf = async ({ app }: TestApp): Promise<CallRecord[]> =>
  (await app.inject('/events?limit=10000')).json<{ events: CallRecord[] }>().events;
const reportOf = ({ systemCalls, complete, dropped, verdict }: Partial<CallRecord>): unknown => ({
  ...{ systemCalls, complete, dropped, verdict },
});
const fieldsOf = (value: object): string[] => Object.keys(value).filter((key) => FIELDS.includes(key));

/** The calls of the level itself. V8 may make others meanwhile. */
const ownOf = ({ systemCalls }: WitnessReport) =>
  systemCalls.filter(({ name, origin }) => origin.isLevel && ['write', 'io_uring_enter'].includes(name));

for (const level of LEVELS)
  test(
    `a witnessed write at ${level}: the answer, its record and the stream have the same list, which agrees`,
    here,
    async (t) => {
      const app = testApp(t);
      const watcher = watch(t, await listen(app.app));
      await watcher.until((lines) => lines.length === 1);
      const answer = await send(app, { level });
      assert.deepEqual([answer.written, answer.verdict, answer.complete, answer.dropped], [5, 'agrees', true, 0]);
      assert.deepEqual(Object.keys(answer).slice(-4), FIELDS);
      const [record = assert.fail()] = await recordsOf(app);
      assert.deepEqual(reportOf(record), reportOf(answer));
      const [, line] = await watcher.until((lines) => lines.length === 2);
      assert.deepEqual(line, record);
      const [call = assert.fail(), ...others] = ownOf(answer).map(
        ({ name, arguments: [fd, , count], result, preview }) => ({
          ...{ name, fd, count, result, preview },
        }),
      );
      if (level === 'uring') assert.equal(call.name, 'io_uring_enter');
      else
        assert.deepEqual([call, others], [{ name: 'write', fd: record.fd, count: 5, result: 5, preview: 'hello' }, []]);
      assert.equal(`${app.written()}`, 'hello');
    },
  );

test('without `witness`, answers, records and bursts have none of its fields', async (t) => {
  const app = testApp(t);
  for (const witness of [false, undefined]) assert.deepEqual(fieldsOf(await send(app, { witness })), []);
  assert.deepEqual([fieldsOf(await sendBurst(app, {})), 'disagreed' in (await sendBurst(app, {}))], [[], false]);
  const { results } = (await app.post({ writes: [{ level: 'raw', msg: 'x', target: 'out' }] }, {}, '/writes')).json();
  assert.deepEqual(results.flatMap(fieldsOf), []);
  assert.deepEqual((await recordsOf(app)).flatMap(fieldsOf), []);
});

test('the error of the kernel is in the list, in words', here, async (t) => {
  const app = testApp(t);
  for (const level of LEVELS.filter((id) => id !== 'uring')) {
    const answer = await send(app, { level, target: 'full' });
    const [call] = ownOf(answer);
    assert.deepEqual([call?.result, call?.error, call?.preview], [-28, answer.error, null], level);
    assert.deepEqual([answer.error?.code, answer.verdict], ['ENOSPC', 'agrees'], level);
  }
});

test('the preview of a call has 64 bytes, in which what acts on a terminal is escaped', here, async (t) => {
  const app = testApp(t);
  const previews = async (msg: string): Promise<unknown> =>
    ownOf(await send(app, { msg })).map(({ preview }) => preview);
  assert.deepEqual(await previews('a\u001b[31m\u202e\n"\\\u0000'), ['a\\x1b[31m\\u202e\\n"\\\\\\x00']);
  assert.deepEqual(await previews('x'.repeat(64)), ['x'.repeat(64)]);
  assert.deepEqual(await previews('x'.repeat(65)), ['x'.repeat(64)]);
  assert.deepEqual(await previews(`${'x'.repeat(63)}ü`), ['x'.repeat(63)], 'no half of a character');
  const text = (await app.app.inject('/events')).body;
  assert.ok(!text.includes('\u202e') && !text.includes('\u001b') && !text.includes('\\u001b'));
});

test('a write that waits lists the system calls of all its calls, and each record those of one', here, async (t) => {
  const fifo = openFifo(t);
  const app = testApp(t, { targets: { pipe: fifo.path } });
  closeSync(fifo.writer);
  const msg = 'y'.repeat(300_000);
  const [answer, taken] = await Promise.all([
    send(app, { target: 'pipe', msg, timeoutMs: 30_000 }),
    read(fifo.reader, msg.length),
  ]);
  assert.equal(taken.length, msg.length);
  const records = await recordsOf(app);
  assert.equal(records.length, answer.calls);
  assert.ok(answer.calls > 2);
  assert.deepEqual([answer.verdict, answer.complete], ['agrees', true]);
  // The list of the answer has an end.
  const all = records.flatMap(({ systemCalls = [] }) => systemCalls);
  assert.equal(answer.systemCalls.length + answer.dropped, all.length);
  assert.deepEqual(answer.systemCalls.slice(0, 20), all.slice(0, 20));
  const sum = ownOf({ ...answer, systemCalls: all }).reduce((bytes, { result }) => bytes + Math.max(0, result ?? 0), 0);
  assert.equal(sum, msg.length, 'the bytes that the witness saw');
});

test(
  'a witness that goes away while a write waits: its later calls are made, and the verdict says why they were not seen',
  here,
  async (t) => {
    const fifo = openFifo(t);
    const app = testApp(t, { targets: { pipe: fifo.path } });
    closeSync(fifo.writer);
    const msg = 'y'.repeat(100_000);
    const answering = send(app, { target: 'pipe', msg, timeoutMs: 30_000 });
    await until(async () => (await recordsOf(app)).some(({ error }) => error?.code === 'EAGAIN'));
    const answer = await withoutWitness(async () => {
      await read(fifo.reader, msg.length);
      return answering;
    });
    assert.deepEqual([answer.written, answer.error, answer.complete], [msg.length, null, false]);
    assert.match(answer.verdict, /^the witness is not available: this process handles SIGSYS itself/);
    assert.equal(ownOf(answer)[0]?.result, 65_536, 'the first call was seen');
    assert.match((await recordsOf(app)).at(-1)?.verdict ?? '', /handles SIGSYS itself/);
  },
);

test('each of many writes has its own list, and only if it asks for one', here, async (t) => {
  const app = testApp(t);
  const writes = LEVELS.flatMap((level) =>
    [true, false].map((witness) => ({ level, msg: level, target: 'out', witness })),
  );
  const { results } = (await app.post({ writes }, {}, '/writes')).json<WritesResult>();
  const records = await recordsOf(app);
  for (const [index, { witness, level }] of writes.entries()) {
    const result = results[index] as Seen;
    assert.deepEqual(fieldsOf(result), witness ? FIELDS : [], level);
    assert.deepEqual(reportOf(records[index] ?? {}), reportOf(result), level);
    if (witness) assert.equal(result.verdict, 'agrees', level);
  }
});

for (const level of LEVELS)
  test(`a witnessed burst at ${level}: its sums are those of its records`, here, async (t) => {
    const app = testApp(t);
    for (const target of ['out', 'full']) {
      const { firstSeq, systemCalls = [], ...burst } = await sendBurst(app, { level, target, witness: true });
      const records = (await recordsOf(app)).filter(({ seq }) => seq >= firstSeq);
      assert.deepEqual([records.length, new Set(records.map(({ verdict }) => verdict))], [100, new Set(['agrees'])]);
      assert.deepEqual([burst.complete, burst.dropped, burst.disagreed, burst.verdict], [true, 0, 0, 'agrees']);
      const all = records.flatMap((record) => record.systemCalls ?? []);
      assert.equal(
        systemCalls.reduce((sum, { times }) => sum + times, 0),
        all.length,
      );
      const name = level === 'uring' ? 'io_uring_enter' : 'write';
      const own = systemCalls.filter((kind) => kind.name === name && kind.origin.isLevel);
      const made = all.filter((call) => call.name === name && call.origin.isLevel);
      const results = new Set(made.map(({ result }) => result));
      assert.equal(own.length, results.size, `a kind of ${name} for each result`);
      for (const { result, times } of own)
        assert.equal(times, made.filter((call) => call.result === result).length, `${name} = ${result}`);
      if (level !== 'uring') assert.deepEqual(own[0]?.error, made[0]?.error);
      assert.ok(!('arguments' in (own[0] ?? {})) && !('preview' in (own[0] ?? {})));
      assert.ok(systemCalls.every(({ times }, at) => times <= (systemCalls[at - 1]?.times ?? Infinity)));
    }
  });

test('the record file has the list of a witnessed call', here, async (t) => {
  const record = path.join(tempFolder(t), 'record');
  const app = testApp(t, { record });
  const answer = await send(app, {});
  await app.app.close();
  const lines = readFileSync(record, 'utf8').trim().split('\n');
  const [line] = lines.map((text) => JSON.parse(text)).filter(({ type }) => type === 'call');
  assert.deepEqual(reportOf(line), reportOf(answer));
});

test('when the ring drops a record, its list is gone with it', here, async (t) => {
  const app = testApp(t, { history: 2 });
  await send(app, {});
  await send(app, { witness: false });
  await send(app, { witness: false });
  assert.deepEqual((await recordsOf(app)).map(fieldsOf), [[], []]);
});

const GOOD: Record<string, (request: Body) => Body> = {
  '/write': (write) => write,
  '/writes': (write) => ({ writes: [{ ...write, witness: false }, write] }),
  '/bursts': (write) => ({ ...write, count: 3 }),
};

test('where there is no witness, a request for one is a 501 with the reason, and makes no call', here, async (t) => {
  const app = testApp(t);
  const detail = 'the witness is not available here: this process handles SIGSYS itself: remove that handler first';
  const pointers: Record<string, string> = { '/writes': '#/writes/1/witness' };
  for (const [url, bodyOf] of Object.entries(GOOD)) {
    const body = bodyOf({ level: 'raw', msg: 'x', target: 'out', witness: true });
    const answer = await withoutWitness(() => app.post(body, {}, url));
    const problem = answer.json<Problem>();
    assert.deepEqual([answer.statusCode, problem.detail], [501, detail], url);
    assert.deepEqual(problem.errors, [{ pointer: pointers[url] ?? '#/witness', detail }], url);
    assert.equal((await app.app.inject('/health')).json().next, 1, url);
  }
  const plain = await withoutWitness(() => send(app, { witness: false }));
  assert.equal(plain.written, 5, 'a write without a witness is made');
});

test('a `witness` that is neither true nor false is refused in plain words', async (t) => {
  const app = testApp(t);
  for (const [value, shown] of [
    ['yes', 'text'],
    [1, 'a number'],
    [null, 'null'],
    [['true'], 'a list'],
  ])
    for (const [url, bodyOf] of Object.entries(GOOD)) {
      const answer = await app.post(bodyOf({ level: 'raw', msg: 'x', target: 'out', witness: value }), {}, url);
      const [error = assert.fail()] = answer.json<Problem>().errors ?? [];
      const [pointer, name] =
        url === '/writes' ? ['#/writes/1/witness', 'writes[1].witness'] : ['#/witness', 'witness'];
      assert.deepEqual([answer.statusCode, error.pointer], [400, pointer], url);
      assert.equal(error.detail, `${name} must be true or false, not ${shown}`);
    }
});

test(
  'a service that witnesses every call: also those that do not ask for it, and GET /levels says so',
  here,
  async (t) => {
    const app = testApp(t, { witness: true });
    const answers = [await send(app, { witness: false }), await send(app, { witness: undefined })];
    for (const answer of answers) assert.equal(answer.verdict, 'agrees');
    assert.equal((await sendBurst(app, {})).verdict, 'agrees');
    const { results } = (await app.post({ writes: [{ level: 'os', msg: 'x', target: 'out' }] }, {}, '/writes')).json();
    assert.equal(results[0].verdict, 'agrees');
    assert.deepEqual(new Set((await recordsOf(app)).map(({ verdict }) => verdict)), new Set(['agrees']));
    assert.deepEqual((await app.app.inject('/levels')).json<Levels>().witness, {
      available: true,
      reason: null,
      always: true,
    });
  },
);

test('a service that shall witness every call does not start where there is no witness', here, async () => {
  await withoutWitness(async () => {
    assert.throws(() => buildApp({ witness: true }), /^Error: the witness is not available here: this process handles/);
  });
});

// --record FILE holds every record in order, or a gap that names the missing ones.
import assert from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import { createJournal, type Journal } from '../../../src/server/records/journal.js';
import { openRecordFile, type RecordOptions, recordTo } from '../../../src/server/records/record-file.js';
import { testApp } from '../../support/app.js';
import { append } from '../../support/journal.js';
import { openFifo, read, tempFolder } from '../../support/service.js';

test('once the service has stopped, the file holds the records of GET /events, to the letter', async (t) => {
  const record = path.join(tempFolder(t), 'record');
  const { app, post } = testApp(t, { record, history: 100 });
  const kept: string[] = [];
  for (let i = 0; i < 50; i++) await post({ level: i % 2 ? 'raw' : 'std', msg: `${i}\n`, target: 'out' });
  for (const event of (await app.inject('/events')).json().events) kept.push(JSON.stringify(event));
  await app.close();
  const lines = readFileSync(record, 'utf8').split('\n');
  assert.deepEqual(lines.slice(1, -2), kept);
});

const createRing = (capacity: number): Journal =>
  createJournal({ capacity, run: 'run', levels: LEVEL_IDS, targets: [{ name: 'out', fd: 9 }] });

const optionsOf = (journal: Journal, more: Partial<RecordOptions> = {}): RecordOptions => ({
  service: { run: 'r', pid: 1, started: 0, host: 'h', version: '0' },
  journal,
  delivery: { delivered: 0, lost: 0 },
  onError: assert.ifError,
  onReopened: () => {},
  ...more,
});

/** Parses lines of records. @returns '7' for record 7, '3-5' for a gap; leaves out the other lines */
const parseLines = (text: string): string[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === 'call' || type === 'gap')
    .map(({ type, seq, from, to }) => (type === 'gap' ? `${from}-${to}` : `${seq}`));

test('the file loses no record when one turn of the event loop makes more calls than the ring holds', (t) => {
  const file = path.join(tempFolder(t), 'record');
  const ring = createRing(16);
  const delivery = { delivered: 0, lost: 0 };
  const { close: stop } = recordTo(openRecordFile(file), optionsOf(ring, { delivery }));
  append(ring, 1000);
  stop();
  assert.deepEqual(
    parseLines(readFileSync(file, 'utf8')),
    Array.from({ length: 1000 }, (_, i) => `${i + 1}`),
  );
});

test('while the file takes nothing, the error is reported once and records wait; a gap names those that are lost', async (t) => {
  const { path: fifo, reader, writer } = openFifo(t);
  const ring = createRing(1000);
  const delivery = { delivered: 0, lost: 0 };
  const errors: (string | undefined)[] = [];
  const { close: stop } = recordTo(
    openRecordFile(fifo),
    optionsOf(ring, { delivery, onError: (error) => errors.push(error?.code) }),
  );
  closeSync(writer);
  append(ring, 5000);
  assert.deepEqual(errors, ['EAGAIN'], 'the pipe is full, because nothing is read from it');
  assert.deepEqual(
    delivery,
    { delivered: 0, lost: 0 },
    'a chunk that the file took only in part does not count as delivered',
  );
  const first = String(await read(reader, 65_536));
  append(ring, 1000);
  stop();
  const rest = await new Promise<string>((resolve) => {
    let text = '';
    reader.on('data', (chunk) => {
      text += chunk;
    });
    reader.once('end', () => resolve(text));
  });
  // At the stop the pipe had no room for all the rest, so the last line may be cut.
  const text = first + rest;
  const entries = parseLines(text.slice(0, text.lastIndexOf('\n')));
  const last = entries.reduce((sum, entry) => {
    const [from, to = from] = entry.split('-').map(Number) as [number, number?];
    assert.equal(from, sum + 1, 'the entries are in order, and none comes twice');
    return to;
  }, 0);
  assert.ok(
    entries.some((entry) => entry.includes('-')),
    'some records were lost, and a gap names them',
  );
  assert.ok(last <= 6000 && last > 1000);
  const lost = entries.flatMap((entry) => {
    const [from = 0, to] = entry.split('-').map(Number);
    return to === undefined ? [] : [to - from + 1];
  });
  assert.equal(
    delivery.lost,
    lost.reduce((sum, more) => sum + more),
  );
});

/** Returns the lines of a file: '7' for record 7, else the type. */
const typesIn = (file: string): string[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map(({ type, seq }) => (type === 'call' ? `${seq}` : type));

test('a run begins with hello and ends with end, so that runs in one file can be told apart', async (t) => {
  const record = path.join(tempFolder(t), 'record');
  for (let run = 0; run < 2; run++) {
    const { app, post } = testApp(t, { record });
    const { run: name } = (await app.inject('/health')).json();
    await post({ level: 'raw', msg: 'x', target: 'out' });
    await app.close();
    const lines = readFileSync(record, 'utf8').trim().split('\n').slice(-3);
    const [hello, , end] = lines.map((line) => JSON.parse(line));
    assert.deepEqual([hello.type, hello.run, hello.pid, hello.oldest], ['hello', name, process.pid, 1]);
    assert.deepEqual(end, { type: 'end', run: name, last: 1 });
  }
  assert.deepEqual(typesIn(record), ['hello', '1', 'end', 'hello', '1', 'end']);
});

test('a service that never listened and made no call leaves no line', async (t) => {
  const record = path.join(tempFolder(t), 'record');
  const { app } = testApp(t, { record });
  await app.ready();
  await app.close();
  assert.equal(readFileSync(record, 'utf8'), '');
});

/** Rotations of the file at `record`. Those that keep its lines move them to `old`. */
const ROTATIONS: Record<string, (record: string, old: string) => void> = {
  'moved away': renameSync,
  removed: (record) => rmSync(record),
  'replaced by another file': (record, old) => {
    renameSync(record, old);
    writeFileSync(record, '', { mode: 0o640 });
  },
};

for (const [what, rotate] of Object.entries(ROTATIONS))
  test(`a record file that is ${what}: the path is opened again, and begins with a hello`, (t) => {
    const file = path.join(tempFolder(t), 'record');
    const old = `${file}.1`;
    const ring = createRing(100);
    const reopened: string[] = [];
    const clock = t.mock.method(performance, 'now', () => 0);
    const recording = recordTo(openRecordFile(file), optionsOf(ring, { onReopened: (why) => reopened.push(why) }));
    clock.mock.mockImplementation(() => 2000);
    append(ring, 2);
    recording.flush();
    rotate(file, old);
    append(ring);
    recording.flush();
    assert.deepEqual(reopened, [], 'the path is looked at once a second at most');
    clock.mock.mockImplementation(() => 4000);
    append(ring, 2);
    recording.flush();
    assert.deepEqual(reopened, ['the old one was moved or removed']);
    recording.close();
    assert.deepEqual(typesIn(file), ['hello', '4', '5', 'end']);
    if (what !== 'removed') assert.deepEqual(typesIn(old), ['hello', '1', '2', '3']);
    if (what === 'removed') assert.equal(statSync(file).mode & 0o777, 0o600);
  });

test('reopen goes on in a new file at once; while the path cannot be opened, the old file goes on', (t) => {
  const folder = tempFolder(t);
  const file = path.join(folder, 'record');
  const ring = createRing(100);
  const reopened: unknown[] = [];
  const onReopened: RecordOptions['onReopened'] = (_why, error) => reopened.push(error?.code);
  const recording = recordTo(openRecordFile(file), optionsOf(ring, { onReopened }));
  append(ring);
  recording.flush();
  renameSync(file, `${file}.1`);
  mkdirSync(file);
  recording.reopen();
  recording.reopen();
  append(ring);
  recording.flush();
  assert.deepEqual(reopened, ['EISDIR'], 'the error is reported once');
  rmSync(file, { recursive: true });
  recording.reopen();
  append(ring);
  recording.close();
  assert.deepEqual(reopened, ['EISDIR', undefined]);
  assert.deepEqual(typesIn(`${file}.1`), ['hello', '1', '2']);
  assert.deepEqual(typesIn(file), ['hello', '3', 'end']);
});

test('a path that cannot be looked at is said once, and the old file goes on', (t) => {
  const file = path.join(tempFolder(t), 'record');
  const ring = createRing(100);
  const reopened: unknown[] = [];
  const onReopened: RecordOptions['onReopened'] = (_why, error) => reopened.push(error?.code);
  const clock = t.mock.method(performance, 'now', () => 0);
  const recording = recordTo(openRecordFile(file), optionsOf(ring, { onReopened }));
  append(ring);
  recording.flush();
  renameSync(file, `${file}.1`);
  symlinkSync('record', file);
  for (const now of [2000, 4000]) {
    clock.mock.mockImplementation(() => now);
    append(ring);
    recording.flush();
  }
  recording.close();
  assert.deepEqual(reopened, ['ELOOP']);
  assert.deepEqual(typesIn(`${file}.1`), ['hello', '1', '2', '3', 'end']);
});

test('a file that was truncated in place goes on with a hello', (t) => {
  const file = path.join(tempFolder(t), 'record');
  const ring = createRing(100);
  const clock = t.mock.method(performance, 'now', () => 0);
  const recording = recordTo(openRecordFile(file), optionsOf(ring));
  for (const now of [2000, 4000]) {
    clock.mock.mockImplementation(() => now);
    append(ring);
    recording.flush();
  }
  truncateSync(file);
  clock.mock.mockImplementation(() => 6000);
  append(ring);
  recording.close();
  assert.deepEqual(typesIn(file), ['hello', '3', 'end']);
});

// The ring of records: numbers never repeat, a record becomes JSON once, and cursors name the records that they missed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import { CallRecord } from '../../../src/protocol/records.js';
import { serializer } from '../../../src/server/answers/serialize.js';
import { createCursor } from '../../../src/server/records/cursor.js';
import { createJournal, type Journal } from '../../../src/server/records/journal.js';
import { append } from '../../support/journal.js';

const createRing = (capacity: number): Journal =>
  createJournal({ capacity, run: 'run', levels: LEVEL_IDS, targets: [{ name: 'out', fd: 9 }] });

test('seq starts at 1 and grows by 1, and the ring keeps the newest records', () => {
  for (const capacity of [1, 2, 3, 100]) {
    const journal = createRing(capacity);
    assert.deepEqual([journal.oldest(), journal.next()], [1, 1]);
    for (let seq = 1; seq <= 250; seq++) assert.equal(append(journal), seq);
    assert.deepEqual([journal.oldest(), journal.next()], [251 - capacity, 251]);
    for (let seq = journal.oldest(); seq < 251; seq++) assert.equal(JSON.parse(journal.line(seq)).seq, seq);
  }
});

test('a record has the facts that were appended, and its line is made once', () => {
  const journal = createRing(4);
  append(journal, 5);
  const seq = append(journal, 1, {
    time: 1767225600000.25,
    requestId: 'id',
    level: LEVEL_IDS.indexOf('std'),
    bytes: Buffer.from('héllo'),
    result: -28,
    durationNs: 1234,
  });
  const line = journal.line(seq);
  assert.deepEqual(JSON.parse(line), {
    type: 'call',
    seq: 6,
    time: 1767225600000.25,
    requestId: 'id',
    level: 'std',
    target: 'out',
    fd: 9,
    requested: 6,
    written: 0,
    error: { code: 'ENOSPC', errno: 28, message: 'No space left on device' },
    durationNs: 1234,
    pid: process.pid,
    preview: 'héllo',
  });
  assert.equal(journal.line(seq), line);
});

test('a line is the same as the compiled serializer of its shape makes', () => {
  const journal = createJournal({ capacity: 99, run: 'run', levels: LEVEL_IDS, targets: [{ name: 'a"b\\', fd: 3 }] });
  const serialize = serializer(CallRecord);
  const messages = [
    '',
    'x',
    'a"b\\c\n\u0000\u007f\u0085',
    'ü世🌍',
    'x'.repeat(63),
    'x'.repeat(64),
    'x'.repeat(65),
    '🌍'.repeat(17),
  ];
  for (const msg of messages)
    for (const result of [0, 5, -11, -32])
      append(journal, 1, {
        time: Date.now() + 0.123,
        requestId: 'a.b_c-1',
        level: result & 1,
        bytes: Buffer.from(msg),
        result,
        durationNs: 0,
      });
  for (let seq = 1; seq < journal.next(); seq++) {
    const line = journal.line(seq);
    assert.equal(
      line,
      serialize(CallRecord.parse({ ...JSON.parse(line), target: 'x' })).replace('"x"', () => JSON.stringify('a"b\\')),
    );
  }
});

test('a cursor continues where it stopped, reads about as many characters as asked for, and reports the gap', () => {
  const journal = createRing(10);
  const delivery = { delivered: 0, lost: 0 };
  const cursor = createCursor(journal, { from: 1, delivery });
  append(journal, 5);
  const first = cursor.read({ chars: 1 });
  assert.deepEqual(
    first.map((line) => JSON.parse(line).seq),
    [1],
  );
  append(journal, 20);
  const lines = cursor.read({ chars: 1 << 20 }).map((line) => JSON.parse(line));
  assert.deepEqual(lines[0], { type: 'gap', from: 2, to: 15 });
  assert.deepEqual(
    lines.slice(1).map(({ seq }) => seq),
    [16, 17, 18, 19, 20, 21, 22, 23, 24, 25],
  );
  assert.deepEqual(cursor.read({ chars: 1 }), []);
  assert.deepEqual(delivery, { delivered: 11, lost: 14 });
});

test('one read looks at a limited number of records, and the cursor says that it is behind', () => {
  const journal = createRing(100_000);
  append(journal, 50_000);
  append(journal, 1, { requestId: 'mine' });
  const delivery = { delivered: 0, lost: 0 };
  const cursor = createCursor(journal, { from: 1, delivery, filter: { requestId: 'mine' } });
  let reads = 1;
  for (; cursor.read({ chars: 1 << 20 }).length === 0; reads++) assert.ok(cursor.isBehind());
  assert.ok(reads > 1, 'several reads were needed');
  assert.equal(cursor.isBehind(), false);
  assert.deepEqual(delivery, { delivered: 1, lost: 0 });
});

test('a watcher is called once a turn of the event loop, and at once, as urgent, when half the ring is new', async () => {
  const journal = createRing(10);
  const woken: boolean[] = [];
  const stop = journal.watch((urgent) => woken.push(urgent), 5);
  append(journal, 4);
  assert.deepEqual(woken, []);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(woken, [false]);
  append(journal, 5);
  assert.deepEqual(woken, [false, true]);
  stop();
  append(journal, 50);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(woken, [false, true]);
});

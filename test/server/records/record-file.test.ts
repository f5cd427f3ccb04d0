// --record FILE holds every record in order, or a gap that names the missing ones.
import assert from 'node:assert/strict';
import { closeSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import { createJournal, type Journal } from '../../../src/server/records/journal.js';
import { openRecordFile, recordTo } from '../../../src/server/records/record-file.js';
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
  assert.equal(readFileSync(record, 'utf8'), `${kept.join('\n')}\n`);
});

const createRing = (capacity: number): Journal =>
  createJournal({ capacity, levels: LEVEL_IDS, targets: [{ name: 'out', fd: 9 }] });
/** Parses lines of records. @returns '7' for record 7, '3-5' for a gap */
const parseLines = (text: string): string[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map(({ type, seq, from, to }) => (type === 'gap' ? `${from}-${to}` : `${seq}`));

test('the file loses no record when one turn of the event loop makes more calls than the ring holds', (t) => {
  const file = path.join(tempFolder(t), 'record');
  const ring = createRing(16);
  const delivery = { delivered: 0, lost: 0 };
  const { close: stop } = recordTo(openRecordFile(file), ring, delivery, assert.ifError);
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
  const { close: stop } = recordTo(openRecordFile(fifo), ring, delivery, (error) => errors.push(error?.code));
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

// --record FILE: every record, in order, or a gap that says which are missing.
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

test('the file holds what /events says, to the letter, once the service has stopped', async (t) => {
  const record = path.join(tempFolder(t), 'record');
  const { app, post } = testApp(t, { record, history: 100 });
  const kept: string[] = [];
  for (let i = 0; i < 50; i++) await post({ level: i % 2 ? 'raw' : 'std', msg: `${i}\n`, target: 'out' });
  for (const event of (await app.inject('/events')).json().events) kept.push(JSON.stringify(event));
  await app.close();
  assert.equal(readFileSync(record, 'utf8'), `${kept.join('\n')}\n`);
});

const journal = (capacity: number): Journal =>
  createJournal({ capacity, levels: LEVEL_IDS, targets: [{ name: 'out', fd: 9 }] });
const seqs = (text: string): string[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map(({ type, seq, from, to }) => (type === 'gap' ? `${from}-${to}` : `${seq}`));

test('nothing is lost to a small ring, however many calls a turn of the event loop makes', (t) => {
  const file = path.join(tempFolder(t), 'record');
  const ring = journal(16);
  const delivery = { delivered: 0, lost: 0 };
  const stop = recordTo(openRecordFile(file), ring, delivery, assert.ifError);
  append(ring, 1000);
  stop();
  assert.deepEqual(
    seqs(readFileSync(file, 'utf8')),
    Array.from({ length: 1000 }, (_, i) => `${i + 1}`),
  );
});

test('a file that takes nothing for a while: the error is told once, records wait, a gap names the lost', async (t) => {
  const { path: fifo, reader, writer } = openFifo(t);
  const ring = journal(1000);
  const delivery = { delivered: 0, lost: 0 };
  const errors: (string | undefined)[] = [];
  const stop = recordTo(openRecordFile(fifo), ring, delivery, (error) => errors.push(error?.code));
  closeSync(writer);
  append(ring, 5000);
  assert.deepEqual(errors, ['EAGAIN'], 'the pipe is full, its reader silent');
  assert.deepEqual(delivery, { delivered: 0, lost: 0 }, 'a file that took a part of them was not given them');
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
  // What the pipe had no room for at the end ends in the middle of a line.
  const whole = first + rest;
  const told = seqs(whole.slice(0, whole.lastIndexOf('\n')));
  const counted = told.reduce((sum, entry) => {
    const [from, to = from] = entry.split('-').map(Number) as [number, number?];
    assert.equal(from, sum + 1, 'in order, nothing twice');
    return to;
  }, 0);
  assert.ok(
    told.some((entry) => entry.includes('-')),
    'something was lost, and is named',
  );
  assert.ok(counted <= 6000 && counted > 1000);
  const lost = told.flatMap((entry) => {
    const [from = 0, to] = entry.split('-').map(Number);
    return to === undefined ? [] : [to - from + 1];
  });
  assert.equal(
    delivery.lost,
    lost.reduce((sum, more) => sum + more),
  );
});

// NDJSON: bytes in each way that tracers print them, and what is refused because it could be read as something else.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { LineWrite } from '../../../../src/cli/commands/reconcile/formats/format.js';
import { ndjson } from '../../../../src/cli/commands/reconcile/formats/ndjson.js';
import { printTrace, run } from '../../../support/reconcile/run.js';
import { makeCalls, random } from '../../../support/reconcile/synthetic.js';
import { tempFolder } from '../../../support/service.js';

const read = (fields: object) => ndjson.reader()(JSON.stringify({ fd: 1, count: 3, ret: 3, ...fields }));

for (const [name, fields] of Object.entries({
  'plain hex': { bytes: '68690a' },
  'upper case': { bytes: '68690A' },
  'spaced hex': { bytes: '68 69 0a' },
  'spaced hex with a space at its end': { bytes: '68 69 0a ' },
  'hex with colons': { bytes: '68:69:0a' },
  'hex behind 0x': { bytes: '0x68690a' },
  'each byte behind 0x': { bytes: '0x68 0x69 0x0a' },
  'hex escapes': { bytes: '\\x68\\x69\\x0a' },
  numbers: { bytes: [104, 105, 10] },
  'base64 that says so': { bytes: 'aGkK', encoding: 'base64' },
}))
  test(`the reader of NDJSON reads bytes as ${name}`, () => assert.equal((read(fields) as LineWrite).text, 'hi\\n'));

const REFUSED: [name: string, fields: object, says: RegExp][] = [
  ['base64 without a word', { bytes: 'aGkK' }, /bytes is "aGkK", which is not hex: .*"encoding":"base64"/],
  ['half a byte', { bytes: '68690' }, /which is not hex/],
  ['half a byte among others', { bytes: '68 6 90a' }, /which is not hex/],
  ['text', { bytes: 'hi\n' }, /which is not hex/],
  ['more bytes than the call has', { bytes: '68690a21' }, /bytes has 4 bytes, but count is 3/],
  ['an object', { bytes: { a: 1 } }, /bytes is \{"a":1\}: give hex/],
  ['numbers that are no bytes', { bytes: [104, 256] }, /bytes is \[104,256\]: give hex/],
  ['hex that is said to be base64', { bytes: '68690', encoding: 'base64' }, /which is not base64/],
  ['an unknown encoding', { bytes: '68', encoding: 'utf8' }, /encoding is "utf8": use hex or base64/],
  ['a time in words', { time: 'noon' }, /time is "noon": give a number/],
  ['a thread in quotes', { tid: '12' }, /tid is "12": give a number/],
  ['a count in quotes', { count: '3' }, /this JSON has no number count:/],
];

for (const [name, fields, says] of REFUSED)
  test(`the reader of NDJSON refuses ${name}`, () => assert.match((read(fields) as { refused: string }).refused, says));

test('a JSON trace of an unknown kind names the fields that it lacks, and the jq line that makes NDJSON of it', async (t) => {
  const folder = tempFolder(t);
  const [trace, records] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  writeFileSync(
    records,
    makeCalls(1, random(1))
      .map(({ record }) => JSON.stringify(record))
      .join('\n'),
  );
  for (const [text, says] of [
    [
      '{"ts":1,"process":{"pid":3,"thread-id":4},"args":{"fd":1,"size":5},"retval":5}\n',
      /trace:1: this JSON has no number fd, count, ret: .* jq -c '\{time: \.ts, pid: \.process\.pid, fd: \.args\.fd, count: \.args\.size, ret: \.retval\}' TRACE/,
    ],
    ['{"level":30,"x-pid":7}\n{"level":30}\n', /jq -c '\{fd: \.YOUR_FD, count: \.YOUR_COUNT, ret: \.YOUR_RET\}' TRACE/],
    ['[{"fd":1,"count":1,"ret":1}]\n', /trace:1: this is a list: .* jq -c '\.\[\]'/],
    ['{\n  "fd": 1\n}\n', /trace:1: this JSON is spread over several lines: /],
  ] as const) {
    writeFileSync(trace, text);
    await assert.rejects(run([trace, records]), says);
  }
});

test('JSON that the traced program logs does not make NDJSON of the trace around it', async (t) => {
  const folder = tempFolder(t);
  const [trace, records] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  const made = makeCalls(5, random(3), { levels: ['raw'] });
  const log = '{"level":30,"time":1796142332431,"count":3,"msg":"listening"}\n';
  writeFileSync(trace, `${log}strace: Process 4711 attached\nhello\n${printTrace('strace', made)}${log}`);
  writeFileSync(records, made.map(({ record }) => JSON.stringify(record)).join('\n'));
  const { code, out } = await run([trace, records]);
  assert.equal(code, 0, out);
  assert.match(out, /note: 3 lines of the trace \(1, 3, \d+\) are not of strace, and are left out/);
});

// Tests that levels os and std refuse wrong arguments, which koffi or Node would convert and write.
// test/native/hostile.test.ts has the same tests for the levels that use the addon.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runScript } from '../../support/outside.js';

const NO_DESCRIPTOR = [
  ...['undefined', 'null', 'true', '"1"', '1n', '[1]', '{ valueOf: () => 1 }', 'NaN', '0.5', '1.5', 'Infinity'],
  ...['2 ** 31', '2 ** 32 + 1', '-(2 ** 32) + 1', '-(2 ** 31) - 1', '2 ** 53'],
];
const NO_BYTES = [
  ...['undefined', 'null', '65', '"text"', '[65]', '{ length: 1 }', 'Object.create(Buffer.from("text"))'],
  ...['new ArrayBuffer(4)', 'new DataView(new ArrayBuffer(4))', 'new Uint16Array(4)', 'new Int8Array(4)'],
];

test('os and std refuse a wrong descriptor or wrong bytes with a TypeError and write nothing', () => {
  const { status, stdout, stderr } = runScript(`
    const bytes = Buffer.from('written ');
    const outcome = (code, { write }) => {
      try { return String(eval(code)); } catch (error) { return error instanceof TypeError ? error.message : String(error); }
    };
    const outcomes = (id) => [
      ${JSON.stringify(NO_DESCRIPTOR)}.map((fd) => outcome('write(' + fd + ', bytes)', levels[id])),
      ${JSON.stringify(NO_BYTES)}.map((bytes) => outcome('write(1, ' + bytes + ')', levels[id])),
    ];
    fs.writeSync(2, JSON.stringify([outcomes('os'), outcomes('std')]));`);
  const expected = [
    NO_DESCRIPTOR.map(() => 'fd must be a 32-bit integer'),
    NO_BYTES.map(() => 'bytes must be a Uint8Array'),
  ];
  assert.deepEqual(
    { status, stdout, outcomes: JSON.parse(stderr) },
    { status: 0, stdout: '', outcomes: [expected, expected] },
  );
});

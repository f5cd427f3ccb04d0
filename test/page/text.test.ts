// Messages as text and as bytes: what a page may show of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, fromHex, hexLines, original, quoted, symbols } from '../../src/page/text.js';
import { preview } from '../../src/protocol/preview.js';

test('a preview gives back what it was made of', () => {
  const every = Buffer.from(Array.from({ length: 128 }, (_, byte) => byte)).toString();
  for (const text of [
    '',
    'x',
    'a\\nb',
    '\\x41',
    '\u0085\u009f',
    'Grüße 世界 🌍',
    every.slice(0, 64),
    every.slice(64),
  ]) {
    const shown = preview(Buffer.from(text), true);
    assert.equal(original(shown), text);
    assert.deepEqual(
      bytesOf(shown).map(({ value }) => value),
      [...Buffer.from(text)],
    );
  }
});

test('what cannot be seen is a symbol, and nothing turns text around', () => {
  assert.equal(symbols('a\u001b[31m\n\u0000\u007f'), 'a␛[31m␊␀␡');
  assert.equal(symbols('\u0085\u202eevil\u2066\ufeff\u200b'), '‹U+0085›‹U+202E›evil‹U+2066›‹U+FEFF›‹U+200B›');
  assert.equal(symbols('Grüße 世界 🌍'), 'Grüße 世界 🌍');
});

test('hex and text side by side; what was not UTF-8 is not made up', () => {
  const shown = preview(Buffer.concat([Buffer.from('é\u001b 0123456789abcdef'), Buffer.from([0xff])]), true);
  assert.deepEqual(hexLines(shown), [
    { offset: '0000', hex: 'c3 a9 1b 20 30 31 32 33 34 35 36 37 38 39 61 62', text: 'é·␛ 0123456789ab' },
    { offset: '0010', hex: '63 64 65 66 ??', text: 'cdef�' },
  ]);
  const early = preview(Buffer.concat([Buffer.from([0xe2, 0x82]), Buffer.from('x'.repeat(16))]), true);
  assert.deepEqual(
    hexLines(early).map(({ offset }) => offset),
    ['0000', '????'],
    'how many bytes it was nobody knows',
  );
  assert.deepEqual(hexLines(''), []);
});

test('a word for a shell, and bytes from hex', () => {
  assert.equal(quoted(`it's $HOME "x" \\`), `'it'\\''s $HOME "x" \\'`);
  assert.deepEqual(fromHex('48 69\n0a'), Uint8Array.of(0x48, 0x69, 0x0a));
  assert.deepEqual(fromHex(''), Uint8Array.of());
  for (const bad of ['4', '4g', '0x48', '48 6']) assert.equal(fromHex(bad), null);
});

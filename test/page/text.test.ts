// A message as text and as bytes, as the page shows it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatHexLines,
  parseHex,
  quoteForShell,
  replaceInvisible,
  splitBytes,
  unescapePreview,
} from '../../src/page/text.js';
import { preview } from '../../src/protocol/preview.js';

test('a preview turns back into the text and the bytes that it was made from', () => {
  const every = Buffer.from(Array.from({ length: 128 }, (_, byte) => byte)).toString();
  for (const text of [
    '',
    'x',
    'a\\nb',
    '\\x41',
    '\u0085\u009f',
    'Grüße 世界 🌍',
    'a\u202eb\u2066\u200b\u2028\ufeff\u00ad\ue000\u{e0041}\u{10ffff}',
    '\\u202e \\u{e0041}',
    every.slice(0, 64),
    every.slice(64),
  ]) {
    const shown = preview(Buffer.from(text), true);
    assert.equal(unescapePreview(shown), text);
    assert.deepEqual(
      splitBytes(shown).map(({ value }) => value),
      [...Buffer.from(text)],
    );
  }
});

test('invisible characters and direction marks are replaced by symbols; other text stays', () => {
  assert.equal(replaceInvisible('a\u001b[31m\n\u0000\u007f'), 'a␛[31m␊␀␡');
  assert.equal(replaceInvisible('\u0085\u202eevil\u2066\ufeff\u200b'), '‹U+0085›‹U+202E›evil‹U+2066›‹U+FEFF›‹U+200B›');
  assert.equal(replaceInvisible('Grüße 世界 🌍'), 'Grüße 世界 🌍');
});

test('hex lines show ?? for bytes that are not UTF-8, and ???? for the offsets after them', () => {
  const shown = preview(Buffer.concat([Buffer.from('é\u001b 0123456789abcdef'), Buffer.from([0xff])]), true);
  assert.deepEqual(formatHexLines(shown), [
    { offset: '0000', hex: 'c3 a9 1b 20 30 31 32 33 34 35 36 37 38 39 61 62', text: 'é·␛ 0123456789ab' },
    { offset: '0010', hex: '63 64 65 66 ??', text: 'cdef�' },
  ]);
  const early = preview(Buffer.concat([Buffer.from([0xe2, 0x82]), Buffer.from('x'.repeat(16))]), true);
  assert.deepEqual(
    formatHexLines(early).map(({ offset }) => offset),
    ['0000', '????'],
    'the record does not say how many bytes were replaced',
  );
  assert.deepEqual(formatHexLines(''), []);
});

test('text is quoted as one word for a shell; hex is parsed, and other text refused', () => {
  assert.equal(quoteForShell(`it's $HOME "x" \\`), `'it'\\''s $HOME "x" \\'`);
  assert.deepEqual(parseHex('48 69\n0a'), Uint8Array.of(0x48, 0x69, 0x0a));
  assert.deepEqual(parseHex(''), Uint8Array.of());
  for (const bad of ['4', '4g', '0x48', '48 6']) assert.equal(parseHex(bad), null);
});

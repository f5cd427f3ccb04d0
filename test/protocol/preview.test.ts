// Text from outside is shown with escapes for everything that nobody can see, or that acts on a terminal.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { row } from '../../src/cli/commands/watch/row.js';
import { makeSafe, preview } from '../../src/protocol/preview.js';
import { escapeLines } from '../../src/protocol/unsafe.js';
import { MAIN } from '../support/service.js';

/** Control, format, separators, private use, tags: each with its escape. */
const ESCAPED: Record<string, string> = {
  '\u001b': '\\x1b',
  '\u0085': '\\x85',
  '\u00ad': '\\xad',
  '\u061c': '\\u061c',
  '\u200b': '\\u200b',
  '\u200e': '\\u200e',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
  '\u202e': '\\u202e',
  '\u2066': '\\u2066',
  '\ufeff': '\\ufeff',
  '\ue000': '\\ue000',
  '\ufffe': '\\ufffe',
  '\u{e0041}': '\\u{e0041}',
};
const ANY_UNSAFE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/u;

test('a preview escapes every invisible character, and leaves other text as it is', () => {
  for (const [char, shown] of Object.entries(ESCAPED))
    assert.equal(preview(Buffer.from(`é${char}z`), true), `é${shown}z`);
  assert.equal(preview(Buffer.from('Grüße 世界 🌍 שלום'), true), 'Grüße 世界 🌍 שלום');
});

test('a preview from elsewhere is made safe, and its own escapes stay', () => {
  assert.equal(makeSafe('a\\\\b\\n\u202e'), 'a\\\\b\\n\\u202e');
  const value = {
    type: 'call',
    seq: 1,
    time: 0,
    requestId: 'r',
    level: 'raw',
    target: 'out',
    fd: 1,
    requested: 1,
    written: 1,
    error: null,
    durationNs: 1,
    pid: 1,
    preview: Object.keys(ESCAPED).join(''),
  } as const;
  assert.doesNotMatch(row({ text: '', value }, { colour: false, width: Infinity }) as string, ANY_UNSAFE);
});

test('escaped lines of JSON are the same value', () => {
  const value = { path: Object.keys(ESCAPED).join('') };
  const line = escapeLines(JSON.stringify(value));
  assert.doesNotMatch(line, ANY_UNSAFE);
  assert.deepEqual(JSON.parse(line), value);
  assert.equal(escapeLines('a\nb'), 'a\nb');
});

test('a message that repeats what the user gave escapes it', () => {
  const run = (...args: string[]): string => {
    try {
      execFileSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', stdio: 'pipe' });
    } catch (error) {
      return (error as { stderr: string }).stderr;
    }
    return '';
  };
  for (const args of [
    ['write', 'ra\u202ew', 'x'],
    ['\u2066x'],
    ['--port', '1\u2028'],
    ['watch', '--url', '\u001b[31m'],
  ]) {
    const said = run(...args);
    assert.match(said, /^syswire: .*\\u(202e|2066|2028|001b)/);
    assert.doesNotMatch(said.trimEnd(), ANY_UNSAFE);
  }
});

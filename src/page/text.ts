// A record's preview as text and as bytes. A message is data: it must not act on the page or pass for something else.
import { UNSAFE } from '../protocol/unsafe.js';

const NAMED: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\' };
const ESCAPE = /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|u\{([0-9a-f]{1,6})\}|([nrt\\]))/g;

/** Undo a preview's escapes (protocol/preview.ts). */
export const unescapePreview = (preview: string): string =>
  preview.replace(ESCAPE, (_all, two?: string, four?: string, more?: string, name?: string) => {
    const hex = two ?? four ?? more;
    return hex === undefined ? (NAMED[name as string] as string) : String.fromCodePoint(Number.parseInt(hex, 16));
  });

/** Replace each invisible character by a symbol: ␛ for escape, ␊ for a line feed, ‹U+202E› for others. */
export const replaceInvisible = (text: string): string =>
  text.replace(UNSAFE, (char) => {
    const code = char.codePointAt(0) as number;
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return '␡';
    return `‹U+${code.toString(16).toUpperCase().padStart(4, '0')}›`;
  });

/** One byte of a message. `value` is null where the message was not UTF-8: the record does not keep such bytes. */
export type Byte = { value: number | null; shown: string };

/** Split a preview into bytes. A character of several bytes is shown at its first; the others show a dot. */
export function splitBytes(preview: string): Byte[] {
  const encoder = new TextEncoder();
  return [...unescapePreview(preview)].flatMap((char): Byte[] => {
    if (char === '\ufffd') return [{ value: null, shown: '�' }];
    const shown = replaceInvisible(char);
    return [...encoder.encode(char)].map((value, index) => ({
      value,
      shown: index > 0 ? '·' : shown.length > 2 ? '·' : shown,
    }));
  });
}

const BYTES_PER_LINE = 16;

/** Format a preview's bytes as hexdump does: lines of 16 bytes with offset, hex and text. */
export function formatHexLines(preview: string): { offset: string; hex: string; text: string }[] {
  const bytes = splitBytes(preview);
  // One U+FFFD may stand for several bytes, so the offsets after it are unknown.
  const firstUnknown = bytes.findIndex(({ value }) => value === null);
  return Array.from({ length: Math.ceil(bytes.length / BYTES_PER_LINE) }, (_, line) => {
    const start = line * BYTES_PER_LINE;
    const part = bytes.slice(start, start + BYTES_PER_LINE);
    return {
      offset: firstUnknown >= 0 && firstUnknown < start ? '????' : start.toString(16).padStart(4, '0'),
      hex: part.map(({ value }) => value?.toString(16).padStart(2, '0') ?? '??').join(' '),
      text: part.map(({ shown }) => shown).join(''),
    };
  });
}

/** Quote any text as one word for a POSIX shell. */
export const quoteForShell = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Parse hex such as `48 65 6c` or `48656c`; return null if the text is not hex. */
export function parseHex(text: string): Uint8Array | null {
  const digits = text.replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

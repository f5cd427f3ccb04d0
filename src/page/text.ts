// What a record's preview says, as text that can be shown and as bytes. Messages are data: nothing in them may
// act on the page, or pass for something else.

const NAMED: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\' };
const SHORT = /\\(?:x([0-9a-f]{2})|([nrt\\]))/g;

/** The characters that a preview stands for: the service escapes control characters and backslashes. */
export const original = (preview: string): string =>
  preview.replace(SHORT, (_all, hex: string | undefined, name: string) =>
    hex === undefined ? (NAMED[name] as string) : String.fromCharCode(Number.parseInt(hex, 16)),
  );

// Control characters, and those that turn the direction of text around or hide in it.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A symbol for each character that cannot be seen: ␛ for escape, ␊ for a line feed, ‹U+202E› for others. */
export const symbols = (text: string): string =>
  text.replace(UNSEEN, (char) => {
    const code = char.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return '␡';
    return `‹U+${code.toString(16).toUpperCase().padStart(4, '0')}›`;
  });

/** A byte as the record has it; null where it was not UTF-8, and the record does not say what it was. */
export type Byte = { value: number | null; shown: string };

/** A preview's bytes, each with what is shown beside it: the first byte of a character has the character. */
export function bytesOf(preview: string): Byte[] {
  const encoder = new TextEncoder();
  return [...original(preview)].flatMap((char): Byte[] => {
    if (char === '\ufffd') return [{ value: null, shown: '�' }];
    const shown = symbols(char);
    return [...encoder.encode(char)].map((value, index) => ({
      value,
      shown: index > 0 ? '·' : shown.length > 2 ? '·' : shown,
    }));
  });
}

const PER_LINE = 16;

/** Bytes as lines of hex and text side by side, as hexdump shows them. */
export function hexLines(preview: string): { offset: string; hex: string; text: string }[] {
  const bytes = bytesOf(preview);
  // One U+FFFD may stand for several bytes: after it nobody knows where one is.
  const known = bytes.findIndex(({ value }) => value === null);
  return Array.from({ length: Math.ceil(bytes.length / PER_LINE) }, (_, line) => {
    const start = line * PER_LINE;
    const part = bytes.slice(start, start + PER_LINE);
    return {
      offset: known >= 0 && known < start ? '????' : start.toString(16).padStart(4, '0'),
      hex: part.map(({ value }) => value?.toString(16).padStart(2, '0') ?? '??').join(' '),
      text: part.map(({ shown }) => shown).join(''),
    };
  });
}

/** A word for a POSIX shell, whatever is in it. */
export const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Bytes from hex such as `48 65 6c` or `48656c`; null when it is none. */
export function fromHex(text: string): Uint8Array | null {
  const digits = text.replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

// Makes the first bytes of a message safe to show. Control characters and backslashes are escaped, so that a message
// cannot send commands to the terminal that shows its record.

/** The bytes of each message that a record keeps. */
export const PREVIEW_BYTES = 64;

const SHORT_ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is the search for control characters: C0, DEL and C1
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\\]/g;

const escapeChar = (char: string): string =>
  SHORT_ESCAPES[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;

/** The escape sequence of each ASCII character; empty for a character that is safe. */
const ESCAPES = Array.from({ length: 0x80 }, (_, code) => {
  const char = String.fromCharCode(code);
  const shown = char.replace(UNSAFE, escapeChar);
  return shown === char ? '' : shown;
});

/** Does the same as `preview` for ASCII, at a third of the cost. @returns null if there are other bytes */
function previewAscii(bytes: Buffer): string | null {
  let text = '';
  let copied = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte >= 0x80) return null;
    if (ESCAPES[byte] === '') continue;
    text += bytes.toString('latin1', copied, i) + ESCAPES[byte];
    copied = i + 1;
  }
  return copied === bytes.length ? text : text + bytes.toString('latin1', copied);
}

/**
 * Returns the first bytes of a message as text that is safe to show.
 *
 * @param bytes at most the first PREVIEW_BYTES of the message
 * @param isWhole true if these are all bytes of the message; if not, a character that is cut off at the end is left out
 * @returns the text; bytes that are not UTF-8 are U+FFFD
 */
export function preview(bytes: Buffer, isWhole: boolean): string {
  return (
    previewAscii(bytes) ??
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: !isWhole }).replace(UNSAFE, escapeChar)
  );
}

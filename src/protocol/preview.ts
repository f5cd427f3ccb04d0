// Makes the first bytes of a message safe to show. Backslashes are escaped, and every character of unsafe.ts, so that a
// message can neither send commands to the terminal that shows its record nor pass for another text.
import { decodeSafely, escapeChar, UNSAFE, UNSAFE_OR_BACKSLASH } from './unsafe.js';

/** The escape sequence of each ASCII character; empty for a character that is safe. */
const ESCAPES = Array.from({ length: 0x80 }, (_, code) => {
  const char = String.fromCharCode(code);
  const shown = char.replace(UNSAFE_OR_BACKSLASH, escapeChar);
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
  return previewAscii(bytes) ?? decodeSafely(bytes, isWhole);
}

/**
 * Escapes what is still unsafe in a preview that was made elsewhere, such as by an older version. Its escapes stay.
 */
export const makeSafe = (preview: string): string => preview.replace(UNSAFE, escapeChar);

// The bytes that a tracer shows, as the text that a record's preview would be.
import { PREVIEW_BYTES } from '../../../../protocol/limits.js';
import { preview } from '../../../../protocol/preview.js';
import type { TracedWrite } from './format.js';

/** The bytes of the escapes that strace prints, which are those of C. */
const C_ESCAPES: Record<string, number> = { n: 10, t: 9, r: 13, v: 11, f: 12 };

/** Returns the first bytes of a string as strace prints it, also with -x or -xx. */
export function unquote(quoted: string): Buffer {
  // Most messages have nothing that is escaped.
  if (!quoted.includes('\\')) return Buffer.from(quoted.slice(0, PREVIEW_BYTES), 'latin1');
  const bytes = Buffer.allocUnsafe(PREVIEW_BYTES);
  let length = 0;
  for (const [all, code] of quoted.slice(0, PREVIEW_BYTES * 4).matchAll(/\\(x[\da-f]{2}|[0-7]{1,3}|.)|[^\\]/gs)) {
    if (length === PREVIEW_BYTES) break;
    bytes[length++] =
      code === undefined
        ? all.charCodeAt(0)
        : code.startsWith('x')
          ? Number.parseInt(code.slice(1), 16)
          : /^[0-7]/.test(code)
            ? Number.parseInt(code, 8)
            : (C_ESCAPES[code] ?? code.charCodeAt(0));
  }
  return bytes.subarray(0, length);
}

/** Returns `text` and `isWhole` for the bytes that a tracer shows. */
export function shown(bytes: Buffer, isCut: boolean): Pick<TracedWrite, 'text' | 'isWhole'> {
  const isWhole = !isCut || bytes.length >= PREVIEW_BYTES;
  const text = preview(bytes.subarray(0, PREVIEW_BYTES), !isCut && bytes.length <= PREVIEW_BYTES);
  // A character that is cut in two becomes U+FFFD, which the record's preview does not have.
  return { isWhole, text: isWhole ? text : text.replace(/\ufffd+$/, '') };
}
export const NOT_SHOWN = { text: undefined, isWhole: false };

/** Returns the place of the quote that ends a string with backslashes before quotes in it, -1 if there is none. */
export function endOfQuoted(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (at - backslashes > from && text[at - backslashes - 1] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
  return -1;
}

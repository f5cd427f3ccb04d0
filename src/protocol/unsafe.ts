// Characters that are invisible, or that act on the terminal or page that shows them. Text from outside is shown with
// escapes for them.
// Imports nothing, so that the page can use it too.

/**
 * Control characters, format characters (bidirectional controls, zero-width characters, soft hyphens), lone surrogates,
 * private use, line and paragraph separators, noncharacters. Characters that are not assigned yet are not among them:
 * which ones these are differs between versions of Node.
 * https://www.unicode.org/reports/tr44/#General_Category_Values, https://trojansource.codes
 */
const CLASS = String.raw`\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}`;
export const UNSAFE = new RegExp(`[${CLASS}]`, 'gu');
export const UNSAFE_OR_BACKSLASH = new RegExp(`[${CLASS}\\\\]`, 'gu');
const UNSAFE_IN_LINES = new RegExp(`(?!\n)[${CLASS}]`, 'gu');

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');

/** Returns the escape of a character in a preview: `\x1b`, `\u202e`, `\u{e0001}`. */
function escapeSequence(char: string): string {
  const code = char.codePointAt(0) as number;
  if (code < 0x100) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\u{${hex(code, 1)}}`;
}

const SHORT_ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

/** Returns the same, or a short escape: `\n`, `\r`, `\t`, `\\`. */
export const escapeChar = (char: string): string => SHORT_ESCAPES[char] ?? escapeSequence(char);

/**
 * Decodes UTF-8 to text that is safe to show: unsafe characters and backslashes are escaped.
 *
 * @param isWhole true if these are all bytes; if not, a character that is cut off at the end is left out
 */
export const decodeSafely = (bytes: Uint8Array, isWhole: boolean): string =>
  new TextDecoder('utf-8', { ignoreBOM: true })
    .decode(bytes, { stream: !isWhole })
    .replace(UNSAFE_OR_BACKSLASH, escapeChar);

/**
 * Escapes unsafe characters in lines for a terminal, a log or a file: as `\u202e`, also `\ud83c\udf0d` beyond the BMP.
 * These are JSON's own escapes, so a line of JSON stays the same value. Line feeds stay.
 */
export const escapeLines = (text: string): string =>
  text.replace(UNSAFE_IN_LINES, (char) =>
    Array.from({ length: char.length }, (_, index) => `\\u${hex(char.charCodeAt(index), 4)}`).join(''),
  );

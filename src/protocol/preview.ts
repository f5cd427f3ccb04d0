// The first bytes of a message, made safe to show: control characters and backslashes are escaped,
// so that a terminal that shows a record cannot be driven by it.

/** How many bytes of each message a record keeps. */
export const PREVIEW_BYTES = 64;

const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for: C0, DEL and C1
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\\]/g;

const escaped = (char: string): string => SHORT[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;

/** Per ASCII character that must be escaped, what is shown in its place; empty for the others. */
const ESCAPES = Array.from({ length: 0x80 }, (_, code) => {
  const char = String.fromCharCode(code);
  const shown = char.replace(UNSAFE, escaped);
  return shown === char ? '' : shown;
});

/** The same as below for what is nothing but ASCII, at a third of the cost; null when it is not. */
function asciiPreview(kept: Buffer): string | null {
  let text = '';
  let plain = 0;
  for (let i = 0; i < kept.length; i++) {
    const byte = kept[i] as number;
    if (byte >= 0x80) return null;
    if (ESCAPES[byte] === '') continue;
    text += kept.toString('latin1', plain, i) + ESCAPES[byte];
    plain = i + 1;
  }
  return plain === kept.length ? text : text + kept.toString('latin1', plain);
}

/**
 * A message's first bytes as text.
 *
 * @param kept no more than its first PREVIEW_BYTES
 * @param isWhole whether that is all of it; else a character cut off at the end is left out
 * @returns what is not UTF-8 shows as U+FFFD
 */
export function preview(kept: Buffer, isWhole: boolean): string {
  return (
    asciiPreview(kept) ??
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(kept, { stream: !isWhole }).replace(UNSAFE, escaped)
  );
}

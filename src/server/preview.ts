// The first bytes of a message, made safe to show: control characters and backslashes are escaped,
// so that a terminal that shows a record cannot be driven by it.

/** How many bytes of each message a record keeps. */
export const PREVIEW_BYTES = 64;

const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for: C0, DEL and C1
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\\]/g;

const escaped = (char: string): string => SHORT[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;

/** `bytes` as text; what is not UTF-8 shows as U+FFFD, a character cut off at the end not at all. */
export function preview(bytes: Uint8Array): string {
  const cutOff = bytes.length === PREVIEW_BYTES;
  return new TextDecoder().decode(bytes, { stream: cutOff }).replace(UNSAFE, escaped);
}

// The fields of the tracepoint sys_enter_write, as perf, ftrace and trace-cmd print them.
import { NOT_SHOWN, shown } from './bytes.js';
import type { LineWrite } from './format.js';

// Newer kernels read the bytes too, and show them in hex and as text; their numbers below 10 have no 0x.
// Format: `fd: 0x12, buf: 0x7f00, count: 6`, `buf: 0x7f00 (68:69:0a) "hi.", count: 3`, `buf: 0x7f00 ({0x68,0x69}), …`.
// https://lore.kernel.org/20251028231147.930550359@kernel.org
const FIELDS =
  /^fd: (0x[\da-f]+|\d+), buf: (?:0x[\da-f]+|\d+)(?: \(\{?((?:(?:0x)?[\da-f]{2}[:,]? ?)*)(?:, |,)?(\.\.\.)?\}?\))?(?: ".*"(?:\.\.\.)?)?, count: (0x[\da-f]+|\d+)$/;

/** Returns the descriptor, the count and the bytes of `fd: …, buf: …, count: …`; null for other text. */
export function parseFields(fields: string): Pick<LineWrite, 'fd' | 'count' | 'text' | 'isWhole'> | null {
  const match = FIELDS.exec(fields);
  if (!match) return null;
  const [, fd, hex, , number] = match;
  const count = Number(number);
  const bytes = hex === undefined ? undefined : Buffer.from(hex.replace(/0x|[:, ]/g, ''), 'hex');
  // The kernel shows no bytes that it could not read.
  const isEmpty = bytes === undefined || (bytes.length === 0 && count > 0) || bytes.length > count;
  return { fd: Number(fd) | 0, count, ...(isEmpty ? NOT_SHOWN : shown(bytes, bytes.length < count)) };
}

/** Returns the result of `0x6` or `-28`, as the tracepoint sys_exit_write shows it; null for other text. */
export function parseResult(text: string): number | null {
  if (!/^(?:0x[\da-f]+|-?\d+)$/.test(text)) return null;
  return text.startsWith('-') ? Number(text) : Number(BigInt.asIntN(64, BigInt(text)));
}

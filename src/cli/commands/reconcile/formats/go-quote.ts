// Text as Go's %q prints it: gVisor and Inspektor Gadget, which are written in Go, show bytes so.
import { PREVIEW_BYTES } from '../../../../protocol/limits.js';

const ESCAPES: Record<string, number> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 };
const PIECE = /\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|(.))|[^\\]+/gs;

/**
 * Returns the first bytes of a string between the quotes. They are as many as a record shows, or a few more.
 *
 * @see https://pkg.go.dev/strconv#Quote
 */
export function unquoteGo(quoted: string): Buffer {
  const pieces: Buffer[] = [];
  let length = 0;
  // A byte takes four characters at most. A cut between them is behind the bytes that are compared.
  for (const [plain, byte, short, long, char] of quoted.slice(0, (PREVIEW_BYTES + 4) * 4).matchAll(PIECE)) {
    const point = short ?? long;
    const piece =
      byte !== undefined
        ? Buffer.from([Number.parseInt(byte, 16)])
        : point !== undefined
          ? Buffer.from(String.fromCodePoint(Number.parseInt(point, 16)))
          : char !== undefined
            ? Buffer.from([ESCAPES[char] ?? char.charCodeAt(0)])
            : Buffer.from(plain);
    pieces.push(piece);
    length += piece.length;
    if (length > PREVIEW_BYTES) break;
  }
  return Buffer.concat(pieces);
}

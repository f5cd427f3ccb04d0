// WebSocket frames built by hand, including those that no client may send.
import assert from 'node:assert/strict';

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;
const MASK = Buffer.from([1, 2, 3, 4]);

type FrameOptions = { fin?: boolean; rsv?: number; masked?: boolean };

/** Builds a client's frame: https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
export function frame(opcode: number, content: string | Buffer = '', options: FrameOptions = {}): Buffer {
  const { fin = true, rsv = 0, masked = true } = options;
  const payload = Buffer.from(content as string);
  const long = payload.length > 125;
  const head = Buffer.from([
    (fin ? 0x80 : 0) | (rsv << 4) | opcode,
    (masked ? 0x80 : 0) | (long ? 126 : payload.length),
    ...(long ? [payload.length >> 8, payload.length & 255] : []),
    ...(masked ? MASK : []),
  ]);
  return Buffer.concat([head, masked ? payload.map((byte, at) => byte ^ (MASK[at % 4] as number)) : payload]);
}

export function close(code: number, reason: string | Buffer = ''): Buffer {
  return frame(CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as string)]));
}

/** Builds the head of a frame that announces a payload of `length` bytes, in 64 bits, and none of the payload. */
export const headOnly = (length: bigint): Buffer => {
  const head = Buffer.from([0x80 | BINARY, 0x80 | 127, ...Array(8).fill(0), ...MASK]);
  head.writeBigUInt64BE(length, 2);
  return head;
};

export type Frame = { opcode: number; payload: Buffer };

/** Parses the service's whole frames. Fails on a fragment, a reserved bit, a mask, or a length of 64 bits. */
export function parseFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; bytes.length - at >= 2; ) {
    const [first = 0, second = 0] = bytes.subarray(at);
    assert.equal(first & 0xf0, 0x80, 'the frame is final, and no reserved bit is set');
    assert.ok(second <= 126, 'the frame has no mask, and a length of 16 bits at most');
    if (second === 126 && bytes.length - at < 4) break;
    const [from, length] = second === 126 ? [at + 4, bytes.readUInt16BE(at + 2)] : [at + 2, second];
    if (from + length > bytes.length) break;
    frames.push({ opcode: first & 15, payload: bytes.subarray(from, from + length) });
    at = from + length;
  }
  return frames;
}

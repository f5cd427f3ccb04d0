// Quotes a value that a client sent, for a message: in single quotes, escaped and cut. This file runs in the browser too.
import { decodeSafely } from './unsafe.js';

/** The most bytes of a value that are shown. */
const QUOTED_BYTES = 64;

export function quoteBytes(bytes: Uint8Array): string {
  const isWhole = bytes.length <= QUOTED_BYTES;
  return `'${decodeSafely(bytes.subarray(0, QUOTED_BYTES), isWhole)}${isWhole ? '' : '…'}'`;
}

export const quote = (text: string): string => quoteBytes(new TextEncoder().encode(text.slice(0, QUOTED_BYTES + 1)));

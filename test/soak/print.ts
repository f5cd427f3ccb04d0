// The fingerprint of a long row of bytes: its length, and a hash a block, so that it can be said where two differ.
import { createHash } from 'node:crypto';

const BLOCK = 1 << 20;

export type Print = { add: (bytes: Uint8Array) => void; total: () => number; blocks: () => string[] };

export function createPrint(): Print {
  const done: string[] = [];
  let open = createHash('sha256');
  let total = 0;
  return {
    add(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const part = bytes.subarray(at, at + BLOCK - (total % BLOCK));
        open.update(part);
        at += part.length;
        total += part.length;
        if (total % BLOCK > 0) continue;
        done.push(open.digest('base64'));
        open = createHash('sha256');
      }
    },
    total: () => total,
    blocks: () => [...done, open.copy().digest('base64')],
  };
}

/** How two rows differ, in words; null when they do not. */
export function differenceOf(arrived: Print, told: Print): string | null {
  if (arrived.total() !== told.total()) return `${arrived.total()} bytes arrived, the records tell of ${told.total()}`;
  const blocks = told.blocks();
  const index = arrived.blocks().findIndex((block, at) => block !== blocks[at]);
  return index < 0 ? null : `other bytes arrived than the records tell of, from about ${index} MiB on`;
}

// The fingerprint of a long sequence of bytes: its length and a hash of each block, which shows where two differ.
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

/** Returns the difference between the bytes that arrived and those of the records in words, or null. */
export function differenceOf(arrived: Print, recorded: Print): string | null {
  if (arrived.total() !== recorded.total())
    return `${arrived.total()} bytes arrived, the records have ${recorded.total()}`;
  const blocks = recorded.blocks();
  const index = arrived.blocks().findIndex((block, at) => block !== blocks[at]);
  return index < 0 ? null : `the bytes that arrived differ from those of the records, from about ${index} MiB on`;
}

// A slow reader: reads a FIFO to its end, 64 bytes at a time, then prints the count of bytes and their SHA-256.
import { createHash } from 'node:crypto';
import { openSync, readSync } from 'node:fs';

const fd = openSync(process.argv[2], 'r');
const chunk = Buffer.alloc(64);
const hash = createHash('sha256');
let count = 0;
for (let taken = readSync(fd, chunk); taken > 0; taken = readSync(fd, chunk)) {
  hash.update(chunk.subarray(0, taken));
  count += taken;
}
console.log(JSON.stringify({ count, sha256: hash.digest('hex') }));

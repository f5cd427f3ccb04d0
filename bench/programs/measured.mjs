// Measures a function that writes bytes to a descriptor, for bench/levels.ts: a line `SIZE CALLS` is answered with the
// nanoseconds that a call took. Node, Bun and Deno run it.
import { Buffer } from 'node:buffer';
import { openSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';

const fd = openSync('/dev/null', 'w');
const bytes = new Map();

/** Returns the message of a size, the same each time: a new one would be in no cache. */
function messageOf(size) {
  let message = bytes.get(size);
  if (!message) {
    message = Buffer.alloc(size, 'Hello world from interrupt!\n');
    bytes.set(size, message);
  }
  return message;
}

export function serveMeasured(write) {
  console.log('ready');
  createInterface({ input: process.stdin }).on('line', (line) => {
    const [size, calls] = line.split(' ').map(Number);
    const message = messageOf(size);
    if (write(fd, message) !== size) throw new Error(`not all of ${size} bytes were written`);
    const before = performance.now();
    for (let i = 0; i < calls; i++) write(fd, message);
    console.log(((performance.now() - before) * 1e6) / calls);
  });
}

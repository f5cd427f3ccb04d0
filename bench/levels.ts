// Measures one 28-byte write to /dev/null at each level, in interleaved rounds of one run. Compare the ratios: absolute
// figures differ from machine to machine.
import { openSync } from 'node:fs';
import { LEVEL_IDS } from '../src/protocol/names.js';
import { levels } from '../src/syscalls/index.js';

const ROUNDS = 60;
const CALLS = 20_000;
const bytes = Buffer.from('Hello world from interrupt!\n');
const fd = openSync('/dev/null', 'w');

const available = LEVEL_IDS.filter((id) => levels[id].available);
const nsPerCall = new Map(available.map((id) => [id, [] as number[]]));

for (let round = 0; round < ROUNDS; round++) {
  for (const id of available) {
    const { write } = levels[id];
    const before = performance.now();
    for (let i = 0; i < CALLS; i++) write(fd, bytes);
    nsPerCall.get(id)?.push(((performance.now() - before) * 1e6) / CALLS);
  }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] as number;
const base = median(nsPerCall.get('raw') ?? nsPerCall.get('os') ?? []);
for (const [id, values] of nsPerCall) {
  const ns = median(values);
  console.log(`${id.padEnd(6)} ${ns.toFixed(0).padStart(6)} ns  ${(ns / base).toFixed(2)} × ${available[0]}`);
}

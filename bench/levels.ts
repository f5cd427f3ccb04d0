// Measures one 28-byte write to /dev/null at each level, without and with a witness, in interleaved rounds of one run.
// Compare the ratios: absolute figures differ from machine to machine.
import { openSync } from 'node:fs';
import { LEVEL_IDS, type LevelId } from '../src/protocol/names.js';
import { levels, witness, witnessAvailability } from '../src/syscalls/index.js';

const ROUNDS = 60;
const CALLS = 20_000;
/** A witnessed call takes longer. */
const WITNESSED_CALLS = 1000;
const bytes = Buffer.from('Hello world from interrupt!\n');
const fd = openSync('/dev/null', 'w');

const available = LEVEL_IDS.filter((id) => levels[id].available);
const { reason } = witnessAvailability();

type Times = Map<LevelId, number[]>;
const plain: Times = new Map(available.map((id) => [id, []]));
const witnessed: Times = new Map(available.map((id) => [id, []]));

/** Measures the calls of one round, in nanoseconds a call. */
function measure(calls: number, call: () => unknown): number {
  const before = performance.now();
  for (let i = 0; i < calls; i++) call();
  return ((performance.now() - before) * 1e6) / calls;
}

for (let round = 0; round < ROUNDS; round++) {
  for (const id of available) {
    const { write } = levels[id];
    const call = (): number => write(fd, bytes);
    plain.get(id)?.push(measure(CALLS, call));
    if (reason === null) witnessed.get(id)?.push(measure(WITNESSED_CALLS, () => witness(call, { level: id })));
  }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] as number;
const base = median(plain.get('raw') ?? plain.get('os') ?? []);
function print(title: string, times: Times): void {
  console.log(title);
  for (const [id, values] of times) {
    const ns = median(values);
    console.log(`${id.padEnd(6)} ${ns.toFixed(0).padStart(6)} ns  ${(ns / base).toFixed(2)} × ${available[0]}`);
  }
}
print('one write', plain);
if (reason === null) print('one write with a witness', witnessed);
else console.log(`no witness: ${reason}`);

// The cost of a call at each level, beside a loop in C and the FFI of other runtimes. Each one runs in a process of its
// own, and they take turns, so that all are measured in the same minute.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { LEVEL_IDS } from '../src/protocol/names.js';
import { type Process, peer, program, ROOT, start, withFolder, withProcesses } from './processes.js';
import { median, rounded, spreadNotes, type Table } from './table.js';

const SIZES = [28, 64, 4096, 65_536];
const ROUNDS = 40;
const CALLS = 20_000;
const WITNESSED_CALLS = 1000;

const BUILT = path.join(ROOT, 'dist/syscalls/index.js');
const level = (...args: string[]): string[] => [process.execPath, program('level.mjs'), BUILT, ...args];

/** The programs, by the name of their row. */
const plain = (floor: string): Record<string, () => string[]> => ({
  'C, write(2) in a loop': () => [floor],
  ...Object.fromEntries(LEVEL_IDS.map((id) => [id, () => level(id)])),
  'fs.writeSync': () => level('fs.writeSync'),
  'Bun, bun:ffi': () => [peer('bun'), program('bun-ffi.mjs')],
  'Deno, Deno.dlopen': () => [peer('deno'), 'run', '--allow-all', program('deno-ffi.mjs')],
  'Node 26, node:ffi': () => [peer('node26'), '--no-warnings', program('node-ffi.mjs')],
});

const witnessed = (): Record<string, () => string[]> =>
  Object.fromEntries(LEVEL_IDS.map((id) => [id, () => level(id, 'witness')]));

/** Measures programs in turns. @returns the ns a call in each round, by program and size; a reason where there are none */
async function measure(
  programs: Record<string, () => string[]>,
  sizes: readonly number[],
  calls: number,
): Promise<Map<string, string | Map<number, number[]>>> {
  return withProcesses(async (open) => {
    const found = new Map<string, string | Map<number, number[]>>();
    const running = new Map<string, Process>();
    for (const [name, command] of Object.entries(programs)) {
      const [file = '', ...args] = command();
      const [process, first] = await start(file, args);
      open.push(process);
      if (first === 'ready') running.set(name, process);
      found.set(name, first === 'ready' ? new Map(sizes.map((size) => [size, []])) : first);
    }
    for (let round = -1; round < ROUNDS; round++) {
      for (const size of sizes) {
        for (const [name, process] of running) {
          const ns = Number(await process.ask(`${size} ${calls}`));
          const times = found.get(name) as Map<number, number[]>;
          // The first round is for the compilers.
          if (round >= 0) times.get(size)?.push(ns);
        }
      }
    }
    return found;
  });
}

export async function benchLevels(): Promise<Table[]> {
  return withFolder(async (folder) => {
    const floor = path.join(folder, 'floor');
    execFileSync('cc', ['-O2', '-o', floor, program('floor.c')]);
    const found = await measure(plain(floor), SIZES, CALLS);
    const times = [...found].filter((entry): entry is [string, Map<number, number[]>] => typeof entry[1] !== 'string');
    const reasons = [...found].flatMap(([name, reason]) => (typeof reason === 'string' ? [`${name}: ${reason}`] : []));
    const base = times[0]?.[1] as Map<number, number[]>;
    /** The median of the rounds' ratios: both figures of a ratio are of the same round. */
    const ratio = (values: Map<number, number[]>, size: number): number =>
      rounded(median((values.get(size) ?? []).map((ns, round) => ns / (base.get(size)?.[round] as number))));
    const calls: Table = {
      id: 'levels',
      title: `One call to /dev/null, ${ROUNDS} rounds of ${CALLS.toLocaleString('en-US')} calls`,
      columns: ['', `ns, ${SIZES[0]} bytes`, ...SIZES.map((size) => `× C, ${size.toLocaleString('en-US')} bytes`)],
      rows: times.map(([name, values]) => [
        name,
        rounded(median(values.get(28) as number[])),
        ...SIZES.map((size) => ratio(values, size)),
      ]),
      notes: [...reasons, ...spreadNotes(times.map(([name, values]) => [name, values.get(28) as number[]]))],
    };
    const seen = [...(await measure(witnessed(), [28], WITNESSED_CALLS))].flatMap(([name, values]) =>
      typeof values === 'string' ? [] : [[name, values.get(28) as number[]] as [string, number[]]],
    );
    const plainOf = (name: string): number => median((found.get(name) as Map<number, number[]>).get(28) as number[]);
    const underWitness: Table = {
      id: 'witness',
      title: 'The same call of 28 bytes with a witness',
      columns: ['', 'ns without', 'ns with', 'ns more'],
      rows: seen.map(([name, values]) => {
        const without = plainOf(name);
        return [name, rounded(without), rounded(median(values)), rounded(median(values) - without)];
      }),
      notes: spreadNotes(seen),
    };
    return [calls, underWitness];
  });
}

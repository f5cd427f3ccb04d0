// Keeps the tables of a whole run: docs/bench.json has them as data, docs/performance.md for readers.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import path from 'node:path';
import { ROOT } from './processes.js';
import { markdownOf, type Table } from './table.js';

export const DATA = path.join(ROOT, 'docs/bench.json');
const PAGE = path.join(ROOT, 'docs/performance.md');

/** The machine and the day of a run. Without them, nobody could judge its figures. */
export type Machine = { cpu: string; cpus: number; memoryGiB: number; kernel: string; node: string; date: string };
export type Published = { machine: Machine; tables: Table[] };

function thisMachine(): Machine {
  const [{ model } = { model: 'unknown' }] = cpus();
  return {
    cpu: model.trim(),
    cpus: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${release()}`,
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
  };
}

const machineText = ({ cpu, cpus: count, memoryGiB, kernel, node, date }: Machine): string =>
  `${date}: ${cpu}, ${count} CPUs, ${memoryGiB} GiB, ${kernel}, Node ${node.slice(1)}.`;

/** Puts a text between the two marks of a place in docs/performance.md. @throws Error if the page has no such place */
function replace(page: string, id: string, text: string): string {
  const [from, to] = [`<!-- bench: ${id} -->\n`, '<!-- end -->'];
  const start = page.indexOf(from);
  const end = page.indexOf(to, start);
  if (start < 0 || end < 0) throw new Error(`docs/performance.md has no place for ${id}: ${from.trim()} … ${to}`);
  return `${page.slice(0, start)}${from}\n${text}\n\n${page.slice(end)}`;
}

export function publish(tables: Table[]): void {
  const machine = thisMachine();
  let page = replace(readFileSync(PAGE, 'utf8'), 'machine', machineText(machine));
  for (const table of tables) page = replace(page, table.id, markdownOf(table));
  writeFileSync(PAGE, page);
  writeFileSync(DATA, `${JSON.stringify({ machine, tables } satisfies Published, null, 2)}\n`);
}

// npm run bench: measures what syswire costs, beside its peers, and prints tables.
//
//   npm run bench [-- NAME…] [--rounds N] [--seconds N] [--against DIR]…
//
// Compare ratios from one run only. A run of all benches writes docs/bench.json, from which bench/plot.ts draws, and puts
// the tables into docs/performance.md. --against also measures the builds of other checkouts, for `http`.
import { parseArgs } from 'node:util';
import { benchBursts } from './bursts.js';
import { benchGrowth } from './growth.js';
import { benchHttp } from './http.js';
import { benchLevels } from './levels.js';
import { publish } from './publish.js';
import { benchStart } from './start.js';
import { benchStream } from './stream.js';
import { markdownOf, type Table } from './table.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '4' },
    against: { type: 'string', multiple: true, default: [] },
  },
});

const BENCHES: Record<string, () => Promise<Table[]>> = {
  levels: benchLevels,
  http: () => benchHttp({ rounds: Number(values.rounds), seconds: Number(values.seconds), against: values.against }),
  bursts: benchBursts,
  stream: benchStream,
  start: benchStart,
  growth: benchGrowth,
};

const unknown = positionals.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  console.error(`${unknown.join(', ')}: no such bench; there are ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}

const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
const tables: Table[] = [];
for (const name of names) {
  for (const table of (await BENCHES[name]?.()) ?? []) {
    tables.push(table);
    console.log(`\n${table.title}\n\n${markdownOf(table)}`);
  }
}

if (positionals.length === 0) publish(tables);

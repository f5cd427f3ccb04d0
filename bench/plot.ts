// npm run bench:plot: draws docs/bench.json with gnuplot (Debian: gnuplot-nox), one picture a subject.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './processes.js';
import { DATA, type Published } from './publish.js';
import type { Cell } from './table.js';

const { machine, tables } = JSON.parse(readFileSync(DATA, 'utf8')) as Published;

const rowsOf = (id: string): Cell[][] => {
  const table = tables.find((each) => each.id === id);
  if (!table) throw new Error(`docs/bench.json has no table ${id}: run npm run bench`);
  return table.rows;
};

/** Returns rows as a data block of gnuplot. */
const block = (name: string, rows: Cell[][]): string =>
  [`$${name} << EOD`, ...rows.map((row) => row.map((cell) => JSON.stringify(cell ?? 'NaN')).join(' ')), 'EOD'].join(
    '\n',
  );

const head = (file: string, width: number, height: number): string => `
set terminal svg size ${width},${height} font "sans-serif,13" background "white"
set output "${path.join(ROOT, 'docs', file)}"
set border 3 lc rgb "#666666"
set tics nomirror
set grid ytics lc rgb "#dddddd" lt 1
unset key
`;

const levels = rowsOf('levels').map(([name = null, , ratio = null]) => [name, ratio]);

const PICTURES: string[] = [
  `${head('bench-levels.svg', 760, 60 + 34 * levels.length)}
${block('levels', levels)}
set title "One write of 28 bytes to /dev/null, as a multiple of the loop in C (${machine.date})"
set yrange [${levels.length - 0.4}:-0.6]
set xrange [0:*]
set grid noytics xtics
set style fill solid
plot $levels using (0):0:(0):2:($0-0.3):($0+0.3):ytic(1) with boxxyerror lc rgb "#2b6cb0", \\
  "" using 2:0:(sprintf("%.2f", $2)) with labels left offset 0.5,0
`,
  `${head('bench-growth.svg', 1000, 320)}
${block('sizes', rowsOf('sizes'))}
${block(
  'subscribers',
  rowsOf('subscribers').map(([count, ns = null]) => [Math.max(0.5, Number(count)), ns]),
)}
${block('histories', rowsOf('histories'))}
set multiplot layout 1,3 title "CPU time of a recorded call, in ns (${machine.date})"
set logscale x
set format x "10^{%L}"
set autoscale xfix
set offsets graph 0.03, graph 0.03, 0, 0
set yrange [0:*]
set style data linespoints
set pointsize 0.7
set linetype 1 lc rgb "#2b6cb0" lw 2 pt 7
set xlabel "bytes of the message"
plot $sizes lt 1
set xlabel "subscribers (0 at the left end)"
plot $subscribers lt 1
set xlabel "records that the ring keeps"
plot $histories lt 1
unset multiplot
`,
];

for (const picture of PICTURES) execFileSync('gnuplot', { input: picture, stdio: ['pipe', 'inherit', 'inherit'] });

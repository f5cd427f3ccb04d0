// Tables of figures: what a bench returns, and how it is printed.

/** A cell is a text or a number; null where nothing could be measured. */
export type Cell = string | number | null;

/** The result of a bench. `columns` has the head of each column, the first one that of the rows' names. */
export type Table = { id: string; title: string; columns: string[]; rows: Cell[][]; notes: string[] };

/** A bench whose spread is larger says so. */
const MOST_SPREAD = 0.2;

const at = (sorted: readonly number[], part: number): number =>
  sorted[Math.floor(part * (sorted.length - 1))] as number;
const sort = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

export const median = (values: readonly number[]): number => at(sort(values), 0.5);

/** Returns the width of the middle half of the values, as a part of their median. */
export function spread(values: readonly number[]): number {
  const sorted = sort(values);
  return (at(sorted, 0.75) - at(sorted, 0.25)) / at(sorted, 0.5);
}

/** Returns a note for each series whose middle half is too wide, so that nobody takes its median for more than it is. */
export const spreadNotes = (series: Iterable<[name: string, values: readonly number[]]>): string[] =>
  [...series].flatMap(([name, values]) =>
    spread(values) > MOST_SPREAD
      ? [`${name}: the middle half of the rounds spans ${Math.round(spread(values) * 100)} % of the median`]
      : [],
  );

/** Rounds to three digits, and to whole numbers from 100 on. */
export const rounded = (value: number): number => (value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

const textOf = (cell: Cell): string =>
  cell === null ? '–' : typeof cell === 'number' ? cell.toLocaleString('en-US', { maximumFractionDigits: 3 }) : cell;

/** Returns a table in Markdown: readable on a terminal too. */
export function markdownOf({ columns, rows, notes }: Table): string {
  const lines = [columns, ...rows.map((row) => row.map(textOf))];
  const widths = columns.map((_, column) => Math.max(3, ...lines.map((line) => (line[column] as string).length)));
  const isText = columns.map((_, column) => rows.every((row) => typeof row[column] === 'string'));
  const pad = (text: string, column: number): string =>
    isText[column] ? text.padEnd(widths[column] as number) : text.padStart(widths[column] as number);
  const rule = widths.map((width, column) => (isText[column] ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  const [head = [], ...body] = lines.map((line) => line.map(pad));
  const table = [head, rule, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  return notes.length === 0 ? table : `${table}\n\n${notes.map((note) => `- ${note}`).join('\n')}`;
}

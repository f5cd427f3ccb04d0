// The formats of traces that are read, in the order in which a line is held against them.
import { bpftrace } from './bpftrace.js';
import type { Format } from './format.js';
import { ndjson } from './ndjson.js';
import { perf } from './perf.js';
import { strace } from './strace.js';

export const FORMATS: readonly Format[] = [ndjson, bpftrace, perf, strace];

/** The values of --format. */
export const FORMAT_IDS: readonly string[] = FORMATS.map(({ id }) => id);

/** Returns the format that a line shows, undefined if it shows none. */
export const formatOf = (line: string): Format | undefined => FORMATS.find(({ recognises }) => recognises(line));

/** Returns the format of a value of --format. */
export function formatNamed(id: string): Format {
  const format = FORMATS.find((one) => one.id === id);
  if (!format) throw new Error(`there is no format ${id}`);
  return format;
}

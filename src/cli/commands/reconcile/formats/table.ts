// The formats of traces that are read, in the order in which a line is held against them.
import { audit } from './audit.js';
import { bpftrace } from './bpftrace.js';
import type { Format } from './format.js';
import { ftrace, traceCmd } from './ftrace.js';
import { inspektorGadget } from './inspektor-gadget.js';
import { ltrace } from './ltrace.js';
import { ndjson } from './ndjson.js';
import { perf } from './perf.js';
import { qemu } from './qemu.js';
import { runsc } from './runsc.js';
import { strace } from './strace.js';
import { sysdig } from './sysdig.js';
import { tetragon } from './tetragon.js';
import { tracee } from './tracee.js';

export const FORMATS: readonly Format[] = [
  // Of the formats with an object a line, NDJSON takes every object that no other knows.
  ...[sysdig, tetragon, tracee, inspektorGadget, runsc, ndjson],
  ...[bpftrace, perf, ftrace, traceCmd, audit],
  // The lines of qemu and ltrace are much like those of strace, which takes any that have the shape of a call.
  ...[qemu, ltrace, strace],
];

/** The formats in the order in which people read them: the most general ones, which are tried last, are the best known. */
export const LISTED: readonly Format[] = [...FORMATS].reverse();

/** The values of --format. */
export const FORMAT_IDS: readonly string[] = LISTED.map(({ id }) => id);

/** Returns the format that a line shows, undefined if it shows none. */
export const formatOf = (line: string): Format | undefined => FORMATS.find(({ recognises }) => recognises(line));

/** Returns the format of a value of --format. */
export function formatNamed(id: string): Format {
  const format = FORMATS.find((one) => one.id === id);
  if (!format) throw new Error(`there is no format ${id}`);
  return format;
}

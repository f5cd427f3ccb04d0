// One JSON object a line: the format that any tracer can be made to write.
import { NOT_SHOWN, shown } from './bytes.js';
import { ENTER, type Format, type LineContent, type Reader } from './format.js';
import { isRestart } from './results.js';
import { parseBytes } from './shown-bytes.js';
import { describeUnknown, REQUIRED } from './unknown-json.js';

/** Returns milliseconds since 1970 for a time in seconds, milliseconds, microseconds or nanoseconds. */
function toMs(time: number): number {
  const steps = [1e11, 1e14, 1e17].filter((bound) => time >= bound).length;
  return (time * 1000) / 1000 ** steps;
}

/** Returns the value of a number that may be left out, or why it is refused. */
function optional(field: string, value: unknown): number | undefined | { refused: string } {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'number' ? value : { refused: `${field} is ${JSON.stringify(value)}: give a number` };
}

/** The names that tracers have for `write` besides its own: Write, sys_write, __x64_sys_write, sys_enter_write. */
const OTHER_NAME = /_write$|^(?:Write|WRITE)$/;

function readObject(value: Record<string, unknown>): LineContent {
  const { fd, count, ret, bytes, encoding } = value;
  const syscall = value.syscall ?? 'write';
  // Ignored, such calls would all be missing, and nothing would say why.
  if (typeof syscall !== 'string' || OTHER_NAME.test(syscall))
    return { refused: `syscall is ${JSON.stringify(syscall)}: give the name "write", or leave it out` };
  if (syscall !== 'write' && syscall !== ENTER) return null;
  if (!REQUIRED.every((field) => Number.isInteger(value[field])))
    // An io_uring_enter may come from an older exporter, which knew that it is ignored.
    return syscall === ENTER ? null : { refused: describeUnknown(value) };
  const [time, pid, tid] = ['time', 'pid', 'tid'].map((field) => optional(field, value[field]));
  for (const one of [time, pid, tid]) if (typeof one === 'object') return one;
  const hex = bytes === undefined || bytes === null ? undefined : parseBytes(bytes, encoding, count as number);
  if (hex && 'refused' in hex) return hex;
  if (isRestart(ret as number)) return null;
  return {
    name: syscall,
    time: time === undefined ? undefined : toMs(time as number),
    pid: pid as number | undefined,
    tid: tid as number | undefined,
    fd: fd as number,
    count: count as number,
    result: ret as number,
    ...(hex ? shown(hex, hex.length < (count as number)) : NOT_SHOWN),
  };
}

/** Reads one object a line, as docs/tracers/README.md describes it. */
const createReader = (): Reader => (line) => {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return /^\s*\[?\s*\{?\s*$/.test(line)
      ? { refused: "this JSON is spread over several lines: write one object a line, for example with jq -c '.[]?'" }
      : 'foreign';
  }
  if (Array.isArray(value)) return { refused: "this is a list: write one object a line, for example with jq -c '.[]'" };
  return value === null || typeof value !== 'object' ? 'foreign' : readObject(value as Record<string, unknown>);
};

export const ndjson: Format = {
  id: 'ndjson',
  title: 'NDJSON',
  // Programs log JSON too, which then stands among the lines of their tracer.
  recognises: (line) => /^\{(?=.*"(?:fd|syscall)")/.test(line),
  reader: createReader,
  sees: { bytes: true, results: true, int80: true, uring: true, clock: 'epoch', ids: 'process and thread' },
  enters: 'write its io_uring_enter into the trace too',
  command: "jq -c '{time, pid, tid, fd, count, ret, bytes}' EXPORT > trace",
  basis: 'recorded live',
  isStrict: true,
};

/** Could a line be JSON of an unknown kind? Its reader then says which fields are not there. */
export const isJson = (line: string): boolean => /^\s*(?:\{|\[\s*(?:\{|$))/.test(line);

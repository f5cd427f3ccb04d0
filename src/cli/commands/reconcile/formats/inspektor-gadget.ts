// The objects that Inspektor Gadget's traceloop prints with -o json.
import { osError } from '../../../../syscalls/bindings/errno.js';
import { NOT_SHOWN, shown } from './bytes.js';
import type { Format, LineContent } from './format.js';
import { unquoteGo } from './go-quote.js';
import { descriptorOf, integerOf } from './integers.js';
import { type Fields, fieldsOf, isFields, parseFields } from './json-line.js';
import { isRestart } from './results.js';

// One text of all parameters, with the bytes instead of their address: fd=1, buf="hi\n", count=3
const PARAMETERS = /^fd=(-?\d+), buf=(?:"((?:[^"\\]|\\.)*)"|[^",]*), count=(\d+)$/s;

/** Each errno by its message: an error is printed as `-1 (no space left on device)`. */
let errnos: Map<string, number> | undefined;

function resultOf(value: unknown): number | undefined {
  const message = typeof value === 'string' ? /^-1 \((.+)\)$/.exec(value)?.[1] : undefined;
  if (message === undefined) return integerOf(value);
  errnos ??= new Map(
    Array.from({ length: 133 }, (_, index) => [osError(-index - 1)?.message.toLowerCase() ?? '', index + 1]),
  );
  const errno = errnos.get(message.toLowerCase());
  return errno === undefined ? undefined : -errno;
}

/** Returns the descriptor, the quoted bytes and the count. Older versions have a list of { name, value, content }. */
function parseParameters(parameters: unknown): [fd: unknown, quoted: string | undefined, count: unknown] {
  if (Array.isArray(parameters)) {
    const byName = new Map(parameters.filter(isFields).map((one: Fields) => [one.name, one]));
    const content = byName.get('buf')?.content;
    const quoted = typeof content === 'string' ? /^"(.*)"$/s.exec(content)?.[1] : undefined;
    return [byName.get('fd')?.value, quoted, byName.get('count')?.value];
  }
  const [, fd, quoted, count] = PARAMETERS.exec(typeof parameters === 'string' ? parameters : '') ?? [];
  return [fd, quoted, count];
}

/** @see https://inspektor-gadget.io/docs/latest/gadgets/traceloop */
function read(line: string): LineContent {
  const event = parseFields(line);
  if (!event) return line.includes('"syscall":"write"') ? 'unreadable' : null;
  if (event.syscall !== 'write') return null;
  const [descriptor, quoted, size] = parseParameters(event.parameters);
  const [fd, count, result] = [descriptorOf(descriptor), integerOf(size), resultOf(event.ret)];
  // A call that did not end is `unfinished`.
  if (fd === undefined || count === undefined || (result === undefined && event.ret !== 'unfinished'))
    return 'unreadable';
  if (result !== undefined && isRestart(result)) return null;
  const bytes = quoted === undefined ? undefined : unquoteGo(quoted);
  const time = integerOf(event.timestamp_raw ?? event.timestamp);
  const { pid, tid } = event.proc === undefined ? event : fieldsOf(event, 'proc');
  return {
    name: 'write',
    time: time === undefined ? undefined : time / 1e6,
    pid: integerOf(pid),
    tid: integerOf(tid),
    fd,
    count,
    result,
    // It takes 128 bytes, and ends them at the first NUL, without a sign of it.
    ...(bytes ? shown(bytes, bytes.length < count) : NOT_SHOWN),
  };
}

export const inspektorGadget: Format = {
  id: 'inspektor-gadget',
  title: 'Inspektor Gadget (traceloop)',
  recognises: (line) => /^\{(?=.*"syscall":)(?=.*"parameters":)/.test(line),
  reader: () => read,
  sees: { bytes: true, results: true, int80: false, uring: false, clock: 'none', ids: 'process' },
  hidesInt80: 'is named by the table of 64-bit calls',
  command: 'ig run traceloop --syscall-filters write --containername NAME -o json > trace',
  basis: 'from its documentation',
};

// The events that Tetragon exports as JSON, for a policy that traces sys_write or its two tracepoints.
import { NOT_SHOWN, shown } from './bytes.js';
import type { Format, LineContent, LineWrite, Reader } from './format.js';
import { createHalves } from './halves.js';
import { descriptorOf, integerOf } from './integers.js';
import { type Fields, fieldsOf, isFields, isoToMs, parseFields } from './json-line.js';
import { isRestart } from './results.js';

/** An argument has one field, whose name says its type. */
const INTEGERS = ['int_arg', 'uint_arg', 'long_arg', 'size_arg'];
const integerIn = (argument: Fields): unknown =>
  INTEGERS.map((name) => argument[name]).find((one) => one !== undefined);

/** Returns the bytes of an argument, and undefined if it has none. */
function bytesIn(argument: Fields): Buffer | undefined {
  const base64 = argument.bytes_arg ?? fieldsOf(argument, 'truncated_bytes_arg').bytes_arg;
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : undefined;
}

function parseCall(args: Fields[]): Pick<LineWrite, 'fd' | 'count' | 'text' | 'isWhole'> | undefined {
  const integers = args.map(integerIn).filter((value) => value !== undefined);
  const [fd, count] = [descriptorOf(integers[0]), integerOf(integers.at(-1))];
  // With the type `fd` Tetragon prints the path instead of the number, and then only the count is left.
  if (integers.length < 2 || fd === undefined || count === undefined) return undefined;
  const bytes = args.map(bytesIn).find((one) => one !== undefined);
  return { fd, count, ...(bytes ? shown(bytes, bytes.length < count) : NOT_SHOWN) };
}

/** @see https://tetragon.io/docs/reference/grpc-api/ */
function createReader(): Reader {
  const halves = createHalves();

  function readEvent(event: Fields, time: number | undefined): LineContent {
    const name = String(event.function_name ?? event.event);
    if (!/(?:^|_)sys_(?:(?:enter|exit)_)?write$/.test(name)) return null;
    const { pid, tid } = fieldsOf(event, 'process');
    const [process, thread] = [integerOf(pid), integerOf(tid) ?? integerOf(pid)];
    if (thread === undefined) return 'unreadable';
    const args = Array.isArray(event.args) ? event.args.filter(isFields) : [];
    if (name.endsWith('exit_write')) {
      const result = integerOf(integerIn(args.at(-1) ?? {}));
      return result === undefined ? 'unreadable' : halves.end(thread, result);
    }
    const parsed = parseCall(args);
    if (!parsed) return 'unreadable';
    const call: LineWrite = { name: 'write', time, pid: process, tid: thread, result: undefined, ...parsed };
    if (name.endsWith('enter_write')) return halves.begin(thread, call);
    const result = integerOf(integerIn(fieldsOf(event, 'return')));
    return result !== undefined && isRestart(result) ? null : { ...call, result };
  }

  return (line) => {
    const fields = parseFields(line);
    if (!fields) return /"process_(?:kprobe|tracepoint)":.*sys_(?:\w+_)?write"/.test(line) ? 'unreadable' : null;
    const event = fields.process_kprobe ?? fields.process_tracepoint;
    return isFields(event) ? readEvent(event, isoToMs(fields.time)) : null;
  };
}

export const tetragon: Format = {
  id: 'tetragon',
  title: 'Tetragon JSON export',
  recognises: (line) => /^\[?\{.*"process_(?:exec|exit|kprobe|tracepoint|loader|uprobe)":\{/.test(line),
  reader: createReader,
  sees: { bytes: true, results: true, int80: false, uring: false, clock: 'epoch', ids: 'process and thread' },
  hidesInt80: 'enters the kernel by another function than __x64_sys_write',
  command: 'tetra getevents -o json > trace',
  basis: 'from its documentation',
};

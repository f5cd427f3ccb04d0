// The events that Tracee prints as JSON, in the shape of its versions before 0.24 and in that of its protocol since.
import { NOT_SHOWN } from './bytes.js';
import type { Format, LineContent } from './format.js';
import { descriptorOf, integerOf } from './integers.js';
import { type Fields, fieldsOf, isFields, isoToMs, parseFields } from './json-line.js';
import { isRestart } from './results.js';

const listOf = (value: unknown): Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);

/** An argument is { name, type, value }, or has its value in a field that is named after its type. */
function argumentOf(args: Fields[], name: string): unknown {
  const { name: _, type, value, ...typed } = args.find((one) => one.name === name) ?? {};
  return value ?? Object.values(typed)[0];
}

/** A number of the protocol may be wrapped, as { value: 5 }. */
const unwrap = (value: unknown): unknown => (isFields(value) ? value.value : value);

function timeOf(value: unknown): number | undefined {
  if (isFields(value)) {
    const [seconds, nanos] = [integerOf(value.seconds), integerOf(value.nanos ?? 0)];
    return seconds === undefined || nanos === undefined ? undefined : seconds * 1000 + nanos / 1e6;
  }
  return typeof value === 'number' ? value / 1e6 : isoToMs(value);
}

/** Returns the ids as the process itself sees them; in a container the machine has others for it. */
function idsOf(event: Fields): [pid: number | undefined, tid: number | undefined] {
  if (event.processId !== undefined) return [integerOf(event.processId), integerOf(event.threadId)];
  const process = fieldsOf(event, 'workload', 'process');
  const thread = fieldsOf(process, 'thread');
  return [integerOf(unwrap(process.pid)), integerOf(unwrap(thread.tid))];
}

/** @see https://aquasecurity.github.io/tracee/latest/docs/outputs/event-structure/ */
function read(line: string): LineContent {
  const event = parseFields(line);
  if (!event) return /"(?:eventName|name)":\s*"write"/.test(line) ? 'unreadable' : null;
  if ((event.eventName ?? event.name) !== 'write') return null;
  const args = listOf(event.args ?? event.data);
  const fd = descriptorOf(argumentOf(args, 'fd'));
  const count = integerOf(argumentOf(args, 'count'));
  const result = integerOf(event.returnValue ?? argumentOf(args, 'returnValue'));
  if (fd === undefined || count === undefined || result === undefined) return 'unreadable';
  if (isRestart(result)) return null;
  const [pid, tid] = idsOf(event);
  return { name: 'write', time: timeOf(event.timestamp), pid, tid, fd, count, result, ...NOT_SHOWN };
}

export const tracee: Format = {
  id: 'tracee',
  title: 'Tracee JSON',
  recognises: (line) => /^\[?\{.*(?:"eventName":|"workload":)/.test(line),
  reader: () => read,
  sees: { bytes: false, results: true, int80: true, uring: false, clock: 'epoch', ids: 'process and thread' },
  command: 'tracee --events write --scope pid=PID --output json:trace',
  basis: 'from its documentation',
};

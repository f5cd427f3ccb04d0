// Prints writes as tracers do that cannot run everywhere, from the documentation of their JSON.
import { PID, type Write } from './synthetic.js';

const NAMES: Record<number, string> = { [-4]: 'EINTR', [-11]: 'EAGAIN', [-28]: 'ENOSPC' };
const MESSAGES: Record<number, string> = {
  [-4]: 'interrupted system call',
  [-11]: 'resource temporarily unavailable',
  [-28]: 'no space left on device',
};

/** Nanoseconds have more digits than a number of JavaScript, so they are put into the text. */
const withTime = (value: object, time: number): string =>
  JSON.stringify(value).replace('"TIME"', `${Math.round(time * 1000)}000`);
const iso = (time: number): string =>
  new Date(time).toISOString().replace(
    /\d{3}Z$/,
    `${String((time % 1000).toFixed(6))
      .padStart(10, '0')
      .replace('.', '')}Z`,
  );

/** The bytes that the kernel captures: those written, or all of a call that failed, and 80 of them at most. */
const captured = ({ bytes, result, count }: Write): Buffer =>
  bytes.subarray(0, Math.min(80, result < 0 ? count : result));
const dots = (bytes: Buffer): string => bytes.toString('latin1').replace(/[^ -~]/g, '.');

const res = (result: number): string => (result < 0 ? `${result}(${NAMES[result]})` : String(result));
const sysdigEvent = (time: number, dir: string, info: string): string =>
  withTime(
    {
      ...{ 'evt.cpu': 1, 'evt.dir': dir, 'evt.info': info, 'evt.num': 1, 'evt.outputtime': 'TIME' },
      ...{ 'evt.type': 'write', 'proc.name': 'node', 'thread.tid': PID },
    },
    time,
  );

function falco(write: Write, data: string): string {
  const fields = {
    ...{ 'evt.time': 'TIME', 'evt.type': 'write', 'evt.dir': '<', 'fd.num': write.fd, 'evt.rawres': write.result },
    ...{ 'evt.arg.size': String(write.count), 'evt.arg.data': data, 'thread.tid': PID, 'proc.pid': PID },
  };
  return withTime(
    {
      hostname: 'vm',
      priority: 'Notice',
      rule: 'writes',
      source: 'syscall',
      time: iso(write.time),
      output_fields: fields,
    },
    write.time,
  );
}

const tetragonProcess = { exec_id: 'dm06MTIz', pid: PID, uid: 0, cwd: '/', binary: '/usr/bin/node', tid: PID };
const tetragon = (kind: string, time: number, event: object): string =>
  JSON.stringify({ [kind]: { process: tetragonProcess, parent: {}, ...event }, node_name: 'vm', time: iso(time) });

const traceeArgs = ({ fd, count }: Write): object[] => [
  { name: 'fd', type: 'int', value: fd },
  { name: 'buf', type: 'void*', value: '0x2ce5870' },
  { name: 'count', type: 'size_t', value: count },
];

/** Quotes bytes as Go does, up to their first NUL; invalid UTF-8 as \x. */
function quoteGo(bytes: Buffer): string {
  const text = bytes.subarray(0, bytes.includes(0) ? bytes.indexOf(0) : bytes.length).toString('utf8');
  const escaped = text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t');
  return `"${escaped.replace(/\ufffd+$/, '\\xc3')}"`;
}
const gadget = ({ result, bytes }: Write, parameters: unknown): string =>
  JSON.stringify({
    ...{ comm: 'node', cpu: 1, mntns_id: 4026531841, parameters, pid: PID, syscall: 'write' },
    ...{ ret: result < 0 ? `-1 (${MESSAGES[result]})` : String(result), runtime: {}, shown: bytes.length },
  });

/** By the name of the format and what it is like, the line or lines of a write. */
export const EXPORTED: Record<string, (write: Write) => string> = {
  'sysdig, an event for each half of a call': (write) =>
    `${sysdigEvent(write.time, '>', `fd=${write.fd}(<f>/tmp/o) size=${write.count} `)}\n` +
    sysdigEvent(write.time + 0.001, '<', `res=${res(write.result)} data=${dots(captured(write))} `),
  'sysdig, one event a call, as since 0.41': (write) =>
    sysdigEvent(
      write.time,
      '<',
      `res=${res(write.result)} data=${dots(captured(write))} fd=${write.fd}(<f>/tmp/o) size=${write.count} `,
    ),
  'sysdig -b, which prints base64': (write) =>
    sysdigEvent(
      write.time,
      '<',
      `res=${res(write.result)} data=${captured(write).toString('base64')} fd=${write.fd}(<f>/tmp/o) size=${write.count} `,
    ),
  'sysdig, Falco': (write) => falco(write, dots(captured(write))),
  'tetragon, sys_write': (write) =>
    tetragon('process_kprobe', write.time, {
      function_name: '__x64_sys_write',
      args: [{ int_arg: write.fd }, { bytes_arg: write.bytes.toString('base64') }, { size_arg: String(write.count) }],
      return: { int_arg: write.result },
      ...{ action: 'KPROBE_ACTION_POST', policy_name: 'writes' },
    }),
  'tetragon, a result as a size and bytes cut off': (write) =>
    tetragon('process_kprobe', write.time, {
      function_name: '__arm64_sys_write',
      args: [
        { uint_arg: write.fd },
        { truncated_bytes_arg: { bytes_arg: write.bytes.subarray(0, 20).toString('base64'), orig_size: '99' } },
        { size_arg: String(write.count) },
      ],
      return: { size_arg: BigInt.asUintN(64, BigInt(write.result)).toString() },
    }),
  'tetragon, the tracepoints': (write) =>
    [
      tetragon('process_tracepoint', write.time, {
        ...{ subsys: 'syscalls', event: 'sys_enter_write' },
        args: [{ size_arg: String(write.fd) }, { size_arg: String(write.count) }],
      }),
      tetragon('process_tracepoint', write.time + 0.001, {
        ...{ subsys: 'syscalls', event: 'sys_exit_write', args: [{ long_arg: String(write.result) }] },
      }),
    ].join('\n'),
  'tracee, before 0.24': (write) =>
    withTime(
      {
        ...{
          timestamp: 'TIME',
          processId: PID,
          threadId: PID,
          hostProcessId: 99,
          hostThreadId: 99,
          processName: 'node',
        },
        ...{ eventId: '1', eventName: 'write', argsNum: 3, returnValue: write.result, args: traceeArgs(write) },
      },
      write.time,
    ),
  'tracee, its protocol': (write) =>
    JSON.stringify({
      timestamp: { seconds: String(Math.floor(write.time / 1000)), nanos: Math.round((write.time % 1000) * 1e6) },
      ...{ id: 'write', name: 'write' },
      workload: { process: { thread: { name: 'node', host_tid: 99, tid: PID }, pid: { value: PID } } },
      data: [
        { name: 'fd', int32: write.fd },
        { name: 'buf', u_int64: '94073412' },
        { name: 'count', u_int64: String(write.count) },
        { name: 'returnValue', int64: String(write.result) },
      ],
    }),
  'inspektor-gadget, parameters as text': (write) =>
    gadget(write, `fd=${write.fd}, buf=${quoteGo(write.bytes.subarray(0, 128))}, count=${write.count}`),
  'inspektor-gadget, parameters as a list': (write) =>
    gadget(write, [
      { name: 'fd', value: String(write.fd) },
      { name: 'buf', value: '0x2ce5870', content: quoteGo(write.bytes.subarray(0, 128)) },
      { name: 'count', value: String(write.count) },
    ]),
};

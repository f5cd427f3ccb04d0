// The kernel's own tracer: /sys/kernel/tracing/trace and trace_pipe, and `trace-cmd report`, which prints the same events.
import { NOT_SHOWN, shown } from './bytes.js';
import { type CallName, ENTER, type Format, type LineContent, type LineWrite, type Reader } from './format.js';
import { createHalves } from './halves.js';
import { toDescriptor, toResult } from './integers.js';

// Format: comm-tid, (tgid) with record-tgid, [cpu] and flags, and the time in seconds. With latency-format CPU and flags
// are one, and the time is in µs. A clock that counts something else, such as x86-tsc, gives no time.
const HEAD =
  /-(\d+)\s+(?:\(\s*(\d+|-+)\)\s+)?(?:\[\d+\]\s+(?:\S{4,6}\s+)?|\d+\S{3,6}\s+)(?:(\d+\.\d+)|(\d+)us.|\d+):\s+/.source;
const EVENT = /sys_(?:(enter|exit)_)?(write|io_uring_enter)(?:(\(|:\s)\s*(.*)| -> (.*))$/.source;
const LINE = new RegExp(HEAD + EVENT);
const ANY_LINE = new RegExp(HEAD);

const NUMBER = /(0x[\da-f]+|\d+)/.source;
// The last argument ends the line, so that no bytes in between are taken for it. The first is near its start: a long
// line is not searched for it again and again.
const WRITE = new RegExp(
  `^.{0,64}?\\bfd[:=] ?${NUMBER}\\b[^:=]*\\bbuf[:=] ?(.*?),? (?:size_t )?count[:=] ?${NUMBER}(?: \\(\\d+\\))?\\)?$`,
);
const ENTERED = new RegExp(`\\bfd[:=] ?${NUMBER}\\b.*?\\bto_submit[:=] ?${NUMBER}\\b`);
const RESULT = new RegExp(`^(?:.*\\bret=)?${NUMBER}(?: \\(-?\\d+\\))?$`);
// Kernels that record the bytes print them behind their address, as (68:69).
const BYTES = /^\(?0x[\da-f]+\)? \(([\da-f]{2}(?::[\da-f]{2})*)/;

// For example `CPU:1 [LOST 12 EVENTS]` of ftrace and `CPU:1 [12 EVENTS DROPPED]` of trace-cmd.
const LOST = /\[(?:LOST (\d+) EVENTS|(\d+ )?EVENTS DROPPED)\]/;
const OVERWRITTEN = /^# entries-in-buffer\/entries-written: (\d+)\/(\d+)/;

function parseCall(name: CallName, text: string): Pick<LineWrite, 'fd' | 'count' | 'text' | 'isWhole'> | undefined {
  if (name === ENTER) {
    const [, ring, entries] = ENTERED.exec(text) ?? [];
    return ring && entries ? { fd: toDescriptor(ring), count: Number(entries), ...NOT_SHOWN } : undefined;
  }
  const [, fd, buffer = '', size] = WRITE.exec(text) ?? [];
  if (!fd || !size) return undefined;
  const hex = BYTES.exec(buffer)?.[1];
  const bytes = hex === undefined ? undefined : Buffer.from(hex.replaceAll(':', ''), 'hex');
  const count = Number(size);
  return { fd: toDescriptor(fd), count, ...(bytes ? shown(bytes, bytes.length < count) : NOT_SHOWN) };
}

/** @see https://docs.kernel.org/trace/ftrace.html */
function createReader(): Reader {
  const halves = createHalves();

  function readEvent([, thread, process, seconds, micros, half, name, open, fields, result]: (
    | string
    | undefined
  )[]): LineContent {
    const tid = Number(thread);
    if (half === 'exit' || result !== undefined) {
      const value = RESULT.exec(result ?? fields ?? '')?.[1];
      return value === undefined ? 'unreadable' : halves.end(tid, toResult(value));
    }
    // `sys_write: ` without a half is no event of the kernel.
    if (half === undefined && open !== '(') return null;
    const call = parseCall(name as CallName, fields ?? '');
    if (!call) return 'unreadable';
    return halves.begin(tid, {
      name: name as CallName,
      time: seconds !== undefined ? Number(seconds) * 1000 : micros !== undefined ? Number(micros) / 1000 : undefined,
      pid: process === undefined || process.startsWith('-') ? undefined : Number(process),
      tid,
      result: undefined,
      ...call,
    });
  }

  return (line) => {
    const event = LINE.exec(line);
    if (event) return readEvent(event);
    const lost = LOST.exec(line);
    if (lost) return { lost: Number(lost[1] ?? lost[2] ?? 1) };
    const [, left, written] = OVERWRITTEN.exec(line) ?? [];
    if (written !== undefined && Number(written) > Number(left)) return { lost: Number(written) - Number(left) };
    return /\bsys_(?:(?:enter|exit)_)?write\b/.test(line) && !ANY_LINE.test(line) ? 'unreadable' : null;
  };
}

const SEES: Format['sees'] = {
  bytes: false,
  results: true,
  int80: false,
  uring: true,
  clock: 'boot',
  ids: 'thread',
};
const SHARED = {
  reader: createReader,
  sees: SEES,
  hidesInt80: 'does not pass the sys_enter_write tracepoint',
  basis: 'recorded live',
} as const;

export const ftrace: Format = {
  ...SHARED,
  id: 'ftrace',
  title: 'ftrace',
  recognises: (line) => /^# tracer: \w/.test(line) || / sys_\w+(?:\(| -> )/.test(ANY_LINE.exec(line) ? line : ''),
  enters: 'switch on its sys_enter_io_uring_enter and sys_exit_io_uring_enter too',
  command:
    'cd /sys/kernel/tracing/instances && mkdir syswire && cd syswire && echo PID > set_event_pid && echo 1 | tee events/syscalls/sys_e{nter,xit}_write/enable && cat trace_pipe > ~/trace',
};

export const traceCmd: Format = {
  ...SHARED,
  id: 'trace-cmd',
  title: 'trace-cmd report',
  recognises: (line) => /^cpus=\d+$/.test(line) || / \w+:\s/.test(ANY_LINE.exec(line) ? line : ''),
  enters: 'record its sys_enter_io_uring_enter and sys_exit_io_uring_enter too',
  command:
    'trace-cmd record -e syscalls:sys_enter_write -e syscalls:sys_exit_write -P PID; trace-cmd report -t > trace',
};

// The log of gVisor's runsc with --strace: a kernel in user space, which prints a line when a call begins and one when
// it ends. Only the first has the bytes.
import { NOT_SHOWN, shown } from './bytes.js';
import type { Format, LineContent, LineWrite, Reader } from './format.js';
import { unquoteGo } from './go-quote.js';
import { createHalves } from './halves.js';
import { toDescriptor, toResult } from './integers.js';
import { isoToMs, parseFields } from './json-line.js';
import { isRestart } from './results.js';

// Format: the level, month and day, the time, the thread of the kernel, the file; then the process and the thread. Those
// who search the log with grep -o may leave out what is before the file.
const LINE = /^(?:[A-Z](\d\d)(\d\d) (\d\d):(\d\d):(\d\d\.\d+)\s+\d+ )?\w+\.go:\d+\] (\[\s*\d+:\s*\d+\] .*)$/;
const CALL = /^\[\s*(\d+):\s*(\d+)\] .*? ([EX]) write\(0x([\da-f]+)\b(.*)$/;
// Go escapes the quotes of the bytes, but nothing in the file's name before them, so this must reach to the end.
const BYTES = /, 0x[\da-f]+ "((?:[^"\\]|\\.)*)"(?:\.\.\.)?, 0x[\da-f]+\)$/;
const COUNT = /, 0x([\da-f]+)\)$/;
const RESULT =
  /, 0x([\da-f]+)\) = (-?\d+|0x[\da-f]+)(?: \(0x[\da-f]+\))?(?: errno=(\d+) \([^()]*\))? \([\d.hmnsµμ]+\)$/;

type Line = { time: number | undefined; text: string };

/** Returns the time of a line and what follows it, of the log in each of its three formats. */
function split(line: string): Line | undefined {
  const [, month, day, hour, minute, second, text] = LINE.exec(line) ?? [];
  // The year is not printed, nor the time zone: such a time counts from the first of January.
  if (text !== undefined && month === undefined) return { time: undefined, text };
  if (text !== undefined)
    return {
      time: Date.UTC(1970, Number(month) - 1, Number(day), Number(hour), Number(minute)) + Number(second) * 1000,
      text,
    };
  const { msg, log, time } = parseFields(line) ?? {};
  const message = msg ?? log;
  return typeof message === 'string' ? { time: isoToMs(time), text: message } : undefined;
}

/** @see https://gvisor.dev/docs/user_guide/debugging/ */
function createReader(): Reader {
  const halves = createHalves();
  /** Some keep only the lines of the calls that ended. Once a call has begun, each should have both lines. */
  let hasBegun = false;

  function begin(call: Omit<LineWrite, 'count'>, tid: number, rest: string): LineContent {
    const size = COUNT.exec(rest)?.[1];
    if (size === undefined) return 'unreadable';
    hasBegun = true;
    const count = Number.parseInt(size, 16);
    const quoted = count === 0 ? '' : BYTES.exec(rest)?.[1];
    const bytes = quoted === undefined ? undefined : unquoteGo(quoted);
    return halves.begin(tid, { ...call, count, ...(bytes ? shown(bytes, bytes.length < count) : NOT_SHOWN) });
  }

  function end(call: Omit<LineWrite, 'count'>, tid: number, rest: string): LineContent {
    const [, size, number, errno] = RESULT.exec(rest) ?? [];
    if (size === undefined || number === undefined) return 'unreadable';
    const result = errno === undefined ? toResult(number) : -Number(errno);
    if (hasBegun || isRestart(result)) return halves.end(tid, result);
    return { ...call, count: Number.parseInt(size, 16), result };
  }

  return (line) => {
    const { time, text } = split(line) ?? {};
    const [, process, thread, half, fd, rest] = CALL.exec(text ?? '') ?? [];
    if (fd === undefined || rest === undefined) return / [EX] write\(/.test(line) ? 'unreadable' : null;
    const tid = Number(thread);
    const call = { name: 'write', pid: Number(process), tid, time, result: undefined, ...NOT_SHOWN } as const;
    return (half === 'E' ? begin : end)({ ...call, fd: toDescriptor(`0x${fd}`) }, tid, rest);
  };
}

export const runsc: Format = {
  id: 'runsc',
  title: 'gVisor (runsc --strace)',
  recognises: (line) =>
    /^(?:[A-Z]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ )?\w+\.go:\d+\] /.test(line) ||
    /^\{"(?:msg|log)":".*","(?:level|severity)":"\w+","time":"/.test(line),
  reader: createReader,
  sees: { bytes: true, results: true, int80: true, uring: false, clock: 'relative', ids: 'process and thread' },
  command:
    'runsc --debug --strace --strace-syscalls=write --debug-log=/tmp/runsc/ …; the trace is the file /tmp/runsc/*.boot.txt',
  basis: 'recorded live',
};

// The lines of `perf script` and of `perf trace`.
import { NOT_SHOWN } from './bytes.js';
import type { Format, LineContent, LineWrite, Reader } from './format.js';
import { isRestart, resultOf } from './results.js';
import { parseFields, parseResult } from './tracepoint.js';

// Format: comm, tid or pid/tid, [cpu], a time of day (-F tod) or seconds; which of them, `perf script -F` chooses.
const PERF_SCRIPT =
  /\s(\d+)(?:\/(\d+))?\s+(?:\[\d+\]\s+)?(?:(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d+):?\s+|(\d+\.\d+):?\s+)?syscalls:sys_(enter|exit)_write:\s+(.*)$/;
// Newer versions print the bytes, in a form that cannot be told from others: the last `, count:` is the call's. A name
// and a path have their bounds: without them the time for a line would grow with the square of its length.
const PERF_TRACE =
  /^\s*(\d+\.\d+) \([^)]*\):\s+(?:.{0,64}?\/(\d+)\s+)?write\(fd: (-?\d+)(?:<.{0,4200}?>)?, buf: .*, count: (\d+)\)\s*(?:(\.\.\.)|= (-?\d+)(?: (E[A-Z0-9]+))?.*)$/;
const PERF_CONTINUED =
  /^\s*[\d.]+ \([^)]*\):\s+(?:.{0,64}?\/(\d+)\s+)?\.\.\. \[continued\]: write\(\)\)?\s*= (-?\d+)(?: (E\w+))?/;

/** Reads the output of `perf script` for the write tracepoints, and of `perf trace`, which tears lines. */
function createReader(): Reader {
  /** By thread, a call that has begun. */
  const open = new Map<number, LineWrite>();

  function end(tid: number, value: number | undefined): LineContent {
    const begun = open.get(tid);
    open.delete(tid);
    if (!begun) return 'unreadable';
    return value !== undefined && isRestart(value) ? null : { ...begun, result: value };
  }

  function begin(call: LineWrite): LineContent {
    const tid = call.tid ?? 0;
    const isTorn = open.has(tid);
    open.set(tid, call);
    return isTorn ? 'unreadable' : null;
  }

  return (line) => {
    const lost = /\bLOST (\d+) events/i.exec(line);
    if (lost) return { lost: Number(lost[1]) };
    const script = PERF_SCRIPT.exec(line);
    if (script) {
      const [, first, second, day, clock, seconds, which, fields = ''] = script;
      const tid = Number(second ?? first);
      if (which === 'exit') {
        const result = parseResult(fields);
        return result === null ? 'unreadable' : end(tid, result);
      }
      const enter = parseFields(fields);
      if (!enter) return 'unreadable';
      return begin({
        name: 'write',
        // A time of day is local time. Date has only milliseconds, so the fraction of the second is added.
        time: day
          ? new Date(`${day}T${clock?.slice(0, 8)}`).getTime() + Number(`0.${clock?.slice(9)}`) * 1000
          : seconds === undefined
            ? undefined
            : Number(seconds) * 1000,
        pid: second === undefined ? undefined : Number(first),
        tid,
        ...enter,
        result: undefined,
      });
    }
    const trace = PERF_TRACE.exec(line);
    if (trace) {
      const [, time, tid, fd, count, goesOn, number, code] = trace;
      const call = {
        name: 'write' as const,
        time: Number(time),
        pid: undefined,
        tid: tid === undefined ? undefined : Number(tid),
        fd: Number(fd),
        count: Number(count),
        result: undefined,
        ...NOT_SHOWN,
      };
      if (goesOn) return begin(call);
      const result = resultOf(number, code);
      return result === 'unreadable' ? result : { ...call, result };
    }
    const continued = PERF_CONTINUED.exec(line);
    if (continued) {
      const result = resultOf(continued[2], continued[3]);
      return result === 'unreadable' ? result : end(Number(continued[1] ?? 0), result);
    }
    return /\bwrite\(|sys_(enter|exit)_write/.test(line) ? 'unreadable' : null;
  };
}

export const perf: Format = {
  id: 'perf',
  title: 'perf',
  recognises: (line) => /\bsyscalls:sys_(enter|exit)_write:/.test(line) || /^\s*\d+\.\d+ \([^)]*\): /.test(line),
  reader: createReader,
  sees: { bytes: false, results: true, int80: false, uring: false, clock: 'boot', ids: 'thread' },
  hidesInt80: 'does not pass the sys_enter_write tracepoint',
  command:
    'perf record -k CLOCK_MONOTONIC -e syscalls:sys_enter_write -e syscalls:sys_exit_write -p PID; perf script --ns -F trace:comm,pid,tid,tod,event,trace > trace',
  basis: 'recorded live',
};

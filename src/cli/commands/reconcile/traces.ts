// Reads the lines of tracers as values: one reader per format, a line at a time.
import { PREVIEW_BYTES } from '../../../protocol/limits.js';
import { preview } from '../../../protocol/preview.js';
import { osError } from '../../../syscalls/bindings/errno.js';

export const FORMATS = ['strace', 'ndjson', 'bpftrace', 'perf'] as const;
export type Format = (typeof FORMATS)[number];

/** The system calls that are read: `write`, and the call with which `uring` submits its write. */
export const ENTER = 'io_uring_enter';
export type CallName = 'write' | typeof ENTER;

/** A `write` as a tracer saw it, or an `io_uring_enter`: its descriptor is the ring, its count that of the entries. */
export type TracedWrite = {
  name: CallName;
  /** The number of its line in the trace, from 1. */
  line: number;
  /** In milliseconds; since 1970 if the tracer's clock counts from there. */
  time: number | undefined;
  /** The process; undefined if the tracer reports threads only. */
  pid: number | undefined;
  tid: number | undefined;
  fd: number;
  count: number;
  /** As the kernel returns it, −errno for an error; undefined if the tracer did not see the call end. */
  result: number | undefined;
  /** The first bytes, escaped as in a record's `preview`; undefined if the tracer does not show bytes. */
  text: string | undefined;
  /** Is `text` as long as the preview would be? False if the tracer cut the bytes off earlier. */
  isWhole: boolean;
};

/**
 * The content of a line: a write; a number of events that the tracer lost; `torn`, part of a line that should
 * be a write; `bad`, no line of such a trace; null for any other line.
 */
export type LineContent = Omit<TracedWrite, 'line'> | { lost: number } | 'torn' | 'bad' | null;
export type Reader = (line: string) => LineContent;

/** The bytes of the escapes that strace prints, which are those of C. */
const C_ESCAPES: Record<string, number> = { n: 10, t: 9, r: 13, v: 11, f: 12 };

/** Returns the first bytes of a string as strace prints it, also with -x or -xx. */
function unquote(quoted: string): Buffer {
  const bytes = Buffer.alloc(PREVIEW_BYTES);
  let length = 0;
  for (const [all, code] of quoted.slice(0, PREVIEW_BYTES * 4).matchAll(/\\(x[\da-f]{2}|[0-7]{1,3}|.)|[^\\]/gs)) {
    if (length === PREVIEW_BYTES) break;
    bytes[length++] =
      code === undefined
        ? all.charCodeAt(0)
        : code.startsWith('x')
          ? Number.parseInt(code.slice(1), 16)
          : /^[0-7]/.test(code)
            ? Number.parseInt(code, 8)
            : (C_ESCAPES[code] ?? code.charCodeAt(0));
  }
  return bytes.subarray(0, length);
}

/** Returns `text` and `isWhole` for the bytes that a tracer shows. */
function shown(bytes: Buffer, isCut: boolean): Pick<TracedWrite, 'text' | 'isWhole'> {
  const isWhole = !isCut || bytes.length >= PREVIEW_BYTES;
  const text = preview(bytes.subarray(0, PREVIEW_BYTES), !isCut && bytes.length <= PREVIEW_BYTES);
  // A character that is cut in two becomes U+FFFD, which the record's preview does not have.
  return { isWhole, text: isWhole ? text : text.replace(/\ufffd+$/, '') };
}
const NOT_SHOWN = { text: undefined, isWhole: false };

/** Each errno by its name: all 133 of Linux, since strace names them all and os.constants only 79. */
let errnos: Map<string, number> | undefined;

/** Returns −errno for a name; undefined for `?`, or for a name that this system does not know. */
function resultOf(number: string | undefined, code: string | undefined): number | undefined {
  if (number === '?') return undefined;
  if (code === undefined) return Number(number);
  errnos ??= new Map(Array.from({ length: 133 }, (_, index) => [osError(-index - 1)?.code ?? '', index + 1]));
  const errno = errnos.get(code);
  return errno === undefined ? undefined : -errno;
}

/**
 * Is a result ERESTARTSYS or one of its kind? No program sees them: the kernel itself repeats the call.
 * https://github.com/torvalds/linux/blob/master/include/linux/errno.h
 */
const isRestart = (result: number): boolean => result <= -512 && result >= -516;

// Format: `[pid 12] ` or `12 `, a time (-ttt, -tt, -r), an address (-i); each only with its flag.
const STRACE_PREFIX =
  /^\s*(?:\[pid\s+(\d+)\]\s+|(\d+)\s+)?(?:(?:(\d+\.\d+)|(\d\d):(\d\d):(\d\d(?:\.\d+)?))\s+)?(?:\[[\da-f ]+\]\s+)*/;
const STRACE_LINE = /(?:[a-z]\w*\(|<\.\.\. |--- |\+\+\+ |\[ Process )/y;
const STRACE_WRITE = /write\((-?\d+)(?:<.*?>)?, ("|NULL|0x[\da-f]+)/y;
const STRACE_END = /^(?:\.\.\.)?, (\d+)(?: <\w+ \.\.\.>)?\s*\)\s*= (-?\d+|\?)(?: (E[A-Z0-9]+))?/;
const STRACE_ENTER = /io_uring_enter\((-?\d+)(?:<.*?>)?, (\d+), /y;
// The empty group stands for the count, which is before the flags here.
const STRACE_ENTER_END = /()\)\s*= (-?\d+|\?)(?: (E[A-Z0-9]+))?/;
const STRACE_BEGIN = /(?:write|io_uring_enter)\(/y;
const UNFINISHED = '<unfinished ...>';
const RESUMED = /<\.\.\. (?:write|io_uring_enter) resumed>/y;

/**
 * Reads the output of `strace -f -ttt -y -e trace=write,io_uring_enter`.
 *
 * @see https://man7.org/linux/man-pages/man1/strace.1.html
 */
function strace(): Reader {
  /** By thread, the first part of a line that another thread's line interrupted. */
  const open = new Map<string, string>();

  const read: Reader = (line) => {
    const prefix = STRACE_PREFIX.exec(line) as RegExpExecArray;
    const [head, bracketed, plain, seconds, hour, minute, second] = prefix;
    const id = bracketed ?? plain ?? '';
    const isAt = (pattern: RegExp): RegExpExecArray | null => {
      pattern.lastIndex = head.length;
      return pattern.exec(line);
    };
    if (isAt(RESUMED)) {
      const before = open.get(id);
      open.delete(id);
      return before === undefined ? 'torn' : read(before + line.slice(RESUMED.lastIndex));
    }
    const write = isAt(STRACE_WRITE);
    const begun = write ?? isAt(STRACE_ENTER);
    if (!begun) return isAt(STRACE_LINE) ? (isAt(STRACE_BEGIN) ? 'torn' : null) : 'bad';
    if (line.endsWith(UNFINISHED)) {
      open.set(id, line.slice(0, -UNFINISHED.length));
      return null;
    }

    const bytesAt = write ? STRACE_WRITE.lastIndex : STRACE_ENTER.lastIndex;
    const isText = begun[2] === '"';
    // The last quote ends the bytes: nothing after them has one, and quotes among them are escaped.
    const bytesEnd = isText ? line.lastIndexOf('"') : bytesAt;
    const rest = line.slice(isText ? bytesEnd + 1 : bytesEnd);
    const end = bytesEnd < bytesAt ? null : (write ? STRACE_END : STRACE_ENTER_END).exec(rest);
    if (!end) return 'torn';
    const [, count, number, code] = end;
    // For example `= ? ERESTARTSYS`: the kernel repeats the call, see isRestart.
    if (code?.startsWith('ERESTART')) return null;
    return {
      name: write ? 'write' : ENTER,
      time: seconds
        ? Number(seconds) * 1000
        : hour === undefined
          ? undefined
          : (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000,
      pid: undefined,
      tid: id === '' ? undefined : Number(id),
      fd: Number(begun[1]),
      count: Number(write ? count : begun[2]),
      result: resultOf(number, code),
      ...(isText ? shown(unquote(line.slice(bytesAt, bytesEnd)), rest.startsWith('...')) : NOT_SHOWN),
    };
  };
  return read;
}

/** Returns milliseconds since 1970 for a time in seconds, milliseconds, microseconds or nanoseconds. */
function toMs(time: number): number {
  const steps = [1e11, 1e14, 1e17].filter((bound) => time >= bound).length;
  return (time * 1000) / 1000 ** steps;
}

/** Reads one object a line, as docs/tracers/README.md describes it. */
function ndjson(): Reader {
  const isNumber = (value: unknown): value is number => typeof value === 'number';
  return (line) => {
    let value: Record<string, unknown>;
    try {
      value = JSON.parse(line);
    } catch {
      return 'bad';
    }
    if (value === null || typeof value !== 'object') return 'bad';
    const { time, pid, tid, syscall = 'write', fd, count, ret, bytes } = value;
    if (syscall !== 'write' && syscall !== ENTER) return null;
    // An io_uring_enter may come from an older exporter, which knew that it is ignored.
    if (!isNumber(fd) || !isNumber(count) || !isNumber(ret)) return syscall === ENTER ? null : 'bad';
    const hex = typeof bytes === 'string' ? Buffer.from(bytes, 'hex') : undefined;
    return isRestart(ret)
      ? null
      : {
          name: syscall,
          time: isNumber(time) ? toMs(time) : undefined,
          pid: isNumber(pid) ? pid : undefined,
          tid: isNumber(tid) ? tid : undefined,
          fd,
          count,
          result: ret,
          ...(hex ? shown(hex, hex.length < count) : NOT_SHOWN),
        };
  };
}

const BPFTRACE =
  /^write time=(\d+\.\d+) pid=(\d+) tid=(\d+) fd=(-?\d+) count=(\d+) ret=(-?\d+) bytes=((?:[\da-f]{2} ?)*)$/;

/** Reads the output of docs/tracers/write.bt. */
function bpftrace(): Reader {
  return (line) => {
    const lost = /^Lost (\d+) events/.exec(line);
    if (lost) return { lost: Number(lost[1]) };
    const match = BPFTRACE.exec(line);
    if (!match) return line.startsWith('write ') ? 'torn' : null;
    const [, time, pid, tid, fd, count, result, hex = ''] = match;
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    if (isRestart(Number(result))) return null;
    return {
      name: 'write',
      time: Number(time) * 1000,
      pid: Number(pid),
      tid: Number(tid),
      fd: Number(fd) | 0,
      count: Number(count),
      result: Number(result),
      // bpftrace prints no bytes if it could not read them from memory.
      ...(bytes.length === 0 && count !== '0' ? NOT_SHOWN : shown(bytes, bytes.length < Number(count))),
    };
  };
}

// Format: comm, tid or pid/tid, [cpu], a time of day (-F tod) or seconds; which of them, `perf script -F` chooses.
const PERF_SCRIPT =
  /\s(\d+)(?:\/(\d+))?\s+(?:\[\d+\]\s+)?(?:(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d+):?\s+|(\d+\.\d+):?\s+)?syscalls:sys_(enter|exit)_write:\s+(.*)$/;
const PERF_ENTER = /^fd: 0x([\da-f]+), buf: 0x[\da-f]+, count: 0x([\da-f]+)$/;
const PERF_EXIT = /^0x([\da-f]+)$/;
const PERF_TRACE =
  /^\s*(\d+\.\d+) \([^)]*\):\s+(?:.*?\/(\d+)\s+)?write\(fd: (-?\d+)(?:<.*?>)?, buf: [^,]*, count: (\d+)\)\s*(?:(\.\.\.)|= (-?\d+)(?: (E[A-Z0-9]+))?.*)$/;
const PERF_CONTINUED =
  /^\s*[\d.]+ \([^)]*\):\s+(?:.*?\/(\d+)\s+)?\.\.\. \[continued\]: write\(\)\)?\s*= (-?\d+)(?: (E\w+))?/;

/** Reads the output of `perf script` for the write tracepoints, and of `perf trace`, which tears lines. */
function perf(): Reader {
  /** By thread, a call that has begun. */
  const open = new Map<number, Omit<TracedWrite, 'line'>>();

  function end(tid: number, value: number | undefined): LineContent {
    const begun = open.get(tid);
    open.delete(tid);
    if (!begun) return 'torn';
    return value !== undefined && isRestart(value) ? null : { ...begun, result: value };
  }

  function begin(call: Omit<TracedWrite, 'line'>): LineContent {
    const tid = call.tid ?? 0;
    const isTorn = open.has(tid);
    open.set(tid, call);
    return isTorn ? 'torn' : null;
  }

  return (line) => {
    const lost = /\bLOST (\d+) events/i.exec(line);
    if (lost) return { lost: Number(lost[1]) };
    const script = PERF_SCRIPT.exec(line);
    if (script) {
      const [, first, second, day, clock, seconds, which, fields = ''] = script;
      const tid = Number(second ?? first);
      if (which === 'exit') {
        const value = PERF_EXIT.exec(fields)?.[1];
        return value === undefined ? 'torn' : end(tid, Number(BigInt.asIntN(64, BigInt(`0x${value}`))));
      }
      const enter = PERF_ENTER.exec(fields);
      if (!enter) return 'torn';
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
        fd: Number.parseInt(enter[1] as string, 16) | 0,
        count: Number.parseInt(enter[2] as string, 16),
        result: undefined,
        ...NOT_SHOWN,
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
      return goesOn ? begin(call) : { ...call, result: resultOf(number, code) };
    }
    const continued = PERF_CONTINUED.exec(line);
    if (continued) return end(Number(continued[1] ?? 0), resultOf(continued[2], continued[3]));
    return /\bwrite\(|sys_(enter|exit)_write/.test(line) ? 'torn' : null;
  };
}

export const READERS: Record<Format, () => Reader> = { strace, ndjson, bpftrace, perf };

/** Returns the format that a line shows, undefined if it shows none. */
export function formatOf(line: string): Format | undefined {
  if (line.startsWith('{')) return 'ndjson';
  if (/^Attaching \d+ probes?\.\.\.|^write time=/.test(line)) return 'bpftrace';
  if (/\bsyscalls:sys_(enter|exit)_write:/.test(line) || /^\s*\d+\.\d+ \([^)]*\): /.test(line)) return 'perf';
  return strace()(line) === 'bad' ? undefined : 'strace';
}

// What tracers print, read as values: one reader per format, a line at a time.
import { PREVIEW_BYTES, preview } from '../../../protocol/preview.js';
import { osError } from '../../../syscalls/bindings/errno.js';

export const FORMATS = ['strace', 'ndjson', 'bpftrace', 'perf'] as const;
export type Format = (typeof FORMATS)[number];

/** A `write` as a tracer saw it. */
export type Traced = {
  /** Where in the trace, from 1. */
  line: number;
  /** In milliseconds; since 1970, where the tracer says so. */
  time: number | undefined;
  /** The process, where the tracer tells it from the thread. */
  pid: number | undefined;
  tid: number | undefined;
  fd: number;
  count: number;
  /** As the kernel gives it, −errno for an error; undefined where the tracer did not see the end. */
  result: number | undefined;
  /** The first bytes, escaped as a record's `preview` is; undefined where the tracer has none. */
  text: string | undefined;
  /** Whether `text` is all that a preview would show, and not cut off before. */
  whole: boolean;
};

/** What a line says: a write, that some were lost, that it is torn or no line of such a trace; or nothing of interest. */
export type Said = Omit<Traced, 'line'> | { lost: number } | 'torn' | 'bad' | null;
export type Reader = (line: string) => Said;

/** Escapes that strace writes: those of C. */
const C_ESCAPES: Record<string, number> = { n: 10, t: 9, r: 13, v: 11, f: 12 };

/** The first bytes of a string as strace prints it, plain, with -x or -xx. */
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

/** `text` and `whole` of the bytes that a tracer shows. */
function shown(bytes: Buffer, isCut: boolean): Pick<Traced, 'text' | 'whole'> {
  const whole = !isCut || bytes.length >= PREVIEW_BYTES;
  const text = preview(bytes.subarray(0, PREVIEW_BYTES), !isCut && bytes.length <= PREVIEW_BYTES);
  // A character that the cut goes through shows as U+FFFD, which the record's preview does not have.
  return { whole, text: whole ? text : text.replace(/\ufffd+$/, '') };
}
const NOT_SHOWN = { text: undefined, whole: false };

/** Every errno by its name: strace knows all 133 of Linux, os.constants 79. */
let errnos: Map<string, number> | undefined;

/** −errno for a name, undefined for one that this system does not know, or for `?`. */
function resultOf(number: string | undefined, code: string | undefined): number | undefined {
  if (number === '?') return undefined;
  if (code === undefined) return Number(number);
  errnos ??= new Map(Array.from({ length: 133 }, (_, index) => [osError(-index - 1)?.code ?? '', index + 1]));
  const errno = errnos.get(code);
  return errno === undefined ? undefined : -errno;
}

/**
 * ERESTARTSYS and its kin, which no program sees: the kernel makes such a call again by itself.
 * https://github.com/torvalds/linux/blob/master/include/linux/errno.h
 */
const isRestart = (result: number): boolean => result <= -512 && result >= -516;

// `[pid 12] ` or `12 `, a time (-ttt, -tt, -r), an address (-i): each only where it was asked for.
const STRACE_PREFIX =
  /^\s*(?:\[pid\s+(\d+)\]\s+|(\d+)\s+)?(?:(?:(\d+\.\d+)|(\d\d):(\d\d):(\d\d(?:\.\d+)?))\s+)?(?:\[[\da-f ]+\]\s+)*/;
const STRACE_LINE = /(?:[a-z]\w*\(|<\.\.\. |--- |\+\+\+ |\[ Process )/y;
const STRACE_WRITE = /write\((-?\d+)(?:<.*?>)?, ("|NULL|0x[\da-f]+)/y;
const STRACE_END = /^(?:\.\.\.)?, (\d+)(?: <\w+ \.\.\.>)?\s*\)\s*= (-?\d+|\?)(?: (E[A-Z0-9]+))?/;
const UNFINISHED = '<unfinished ...>';
const RESUMED = /<\.\.\. write resumed>/y;

/** `strace -f -ttt -y -e trace=write`. @see https://man7.org/linux/man-pages/man1/strace.1.html */
function strace(): Reader {
  /** Per thread, a call that another thread's line came between. */
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
      const begun = open.get(id);
      open.delete(id);
      return begun === undefined ? 'torn' : read(begun + line.slice(RESUMED.lastIndex));
    }
    const write = isAt(STRACE_WRITE);
    if (!write) return isAt(STRACE_LINE) ? (line.startsWith('write(', head.length) ? 'torn' : null) : 'bad';
    if (line.endsWith(UNFINISHED)) {
      open.set(id, line.slice(0, -UNFINISHED.length));
      return null;
    }

    const bytesAt = STRACE_WRITE.lastIndex;
    const isText = write[2] === '"';
    // What follows the bytes has no quote, and a quote among them is escaped.
    const bytesEnd = isText ? line.lastIndexOf('"') : bytesAt;
    const rest = line.slice(isText ? bytesEnd + 1 : bytesEnd);
    const end = bytesEnd < bytesAt ? null : STRACE_END.exec(rest);
    if (!end) return 'torn';
    const [, count, number, code] = end;
    // `= ? ERESTARTSYS`: see isRestart.
    if (code?.startsWith('ERESTART')) return null;
    return {
      time: seconds
        ? Number(seconds) * 1000
        : hour === undefined
          ? undefined
          : (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000,
      pid: undefined,
      tid: id === '' ? undefined : Number(id),
      fd: Number(write[1]),
      count: Number(count),
      result: resultOf(number, code),
      ...(isText ? shown(unquote(line.slice(bytesAt, bytesEnd)), rest.startsWith('...')) : NOT_SHOWN),
    };
  };
  return read;
}

/** Milliseconds since 1970, of what may be seconds, milliseconds, microseconds or nanoseconds. */
function toMs(time: number): number {
  const steps = [1e11, 1e14, 1e17].filter((bound) => time >= bound).length;
  return (time * 1000) / 1000 ** steps;
}

/** One object a line: `{time, pid, tid, syscall, fd, count, ret}`, and `bytes` as hex where the tracer has them. */
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
    if (syscall !== 'write') return null;
    if (!isNumber(fd) || !isNumber(count) || !isNumber(ret)) return 'bad';
    const hex = typeof bytes === 'string' ? Buffer.from(bytes, 'hex') : undefined;
    return isRestart(ret)
      ? null
      : {
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

/** What docs/tracers/write.bt prints. */
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
      time: Number(time) * 1000,
      pid: Number(pid),
      tid: Number(tid),
      fd: Number(fd) | 0,
      count: Number(count),
      result: Number(result),
      // One that the tracer could not read from memory, it prints as none.
      ...(bytes.length === 0 && count !== '0' ? NOT_SHOWN : shown(bytes, bytes.length < Number(count))),
    };
  };
}

// comm, tid or pid/tid, [cpu], a time of day (-F tod) or seconds: the fields are as --fields has them.
const PERF_SCRIPT =
  /\s(\d+)(?:\/(\d+))?\s+(?:\[\d+\]\s+)?(?:(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d+):?\s+|(\d+\.\d+):?\s+)?syscalls:sys_(enter|exit)_write:\s+(.*)$/;
const PERF_ENTER = /^fd: 0x([\da-f]+), buf: 0x[\da-f]+, count: 0x([\da-f]+)$/;
const PERF_EXIT = /^0x([\da-f]+)$/;
const PERF_TRACE =
  /^\s*(\d+\.\d+) \([^)]*\):\s+(?:.*?\/(\d+)\s+)?write\(fd: (-?\d+)(?:<.*?>)?, buf: [^,]*, count: (\d+)\)\s*(?:(\.\.\.)|= (-?\d+)(?: (E[A-Z0-9]+))?.*)$/;
const PERF_CONTINUED =
  /^\s*[\d.]+ \([^)]*\):\s+(?:.*?\/(\d+)\s+)?\.\.\. \[continued\]: write\(\)\)?\s*= (-?\d+)(?: (E\w+))?/;

/** `perf script` of the write tracepoints; and `perf trace`, which tears lines. */
function perf(): Reader {
  /** Per thread, a call that has begun. */
  const open = new Map<number, Omit<Traced, 'line'>>();

  function end(tid: number, value: number | undefined): Said {
    const begun = open.get(tid);
    open.delete(tid);
    if (!begun) return 'torn';
    return value !== undefined && isRestart(value) ? null : { ...begun, result: value };
  }

  function begin(call: Omit<Traced, 'line'>): Said {
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
        // A time of day is local time; Date knows its milliseconds, the rest is added.
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

/** The format of a line, if it can be told from it. */
export function formatOf(line: string): Format | undefined {
  if (line.startsWith('{')) return 'ndjson';
  if (/^Attaching \d+ probes?\.\.\.|^write time=/.test(line)) return 'bpftrace';
  if (/\bsyscalls:sys_(enter|exit)_write:/.test(line) || /^\s*\d+\.\d+ \([^)]*\): /.test(line)) return 'perf';
  return strace()(line) === 'bad' ? undefined : 'strace';
}

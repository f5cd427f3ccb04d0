// strace's lines.
import { NOT_SHOWN, shown, unquote } from './bytes.js';
import { ENTER, type Format, type Reader } from './format.js';
import { resultOf } from './results.js';

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
function createReader(thread?: number): Reader {
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
      return before === undefined ? 'unreadable' : read(before + line.slice(RESUMED.lastIndex));
    }
    const write = isAt(STRACE_WRITE);
    const begun = write ?? isAt(STRACE_ENTER);
    if (!begun) return isAt(STRACE_LINE) ? (isAt(STRACE_BEGIN) ? 'unreadable' : null) : 'foreign';
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
    if (!end) return 'unreadable';
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
      tid: id === '' ? thread : Number(id),
      fd: Number(begun[1]),
      count: Number(write ? count : begun[2]),
      result: resultOf(number, code),
      ...(isText ? shown(unquote(line.slice(bytesAt, bytesEnd)), rest.startsWith('...')) : NOT_SHOWN),
    };
  };
  return read;
}

export const strace: Format = {
  id: 'strace',
  title: 'strace',
  recognises: (line) => createReader()(line) !== 'foreign',
  reader: createReader,
  sees: { bytes: true, results: true, int80: true, uring: true, clock: 'epoch', ids: 'thread' },
  enters: 'trace its io_uring_enter too, with -e trace=write,io_uring_enter',
  command: 'strace -f -ttt -y -e trace=write -o trace -p PID',
  basis: 'recorded live',
};

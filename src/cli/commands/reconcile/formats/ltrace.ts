// The lines of `ltrace -S`.
import { NOT_SHOWN, shown, unquote } from './bytes.js';
import type { Format, LineWrite, Reader } from './format.js';
import { toDescriptor, toResult } from './integers.js';
import { isRestart } from './results.js';

// Format: `[pid 12] ` or `12 `, a time (-ttt, -tt, -t, -r); each only with its flag.
const HEAD = /^\s*(?:\[pid\s+(\d+)\]\s+|(\d+)\s+)?(?:(\d+\.\d+)\s+|(\d\d):(\d\d):(\d\d(?:\.\d+)?)\s+)?/;
const BEGIN = /(?:SYS_write|write@SYS)\((-?\d+|0x[\da-f]+), /y;
const RESUMED = /<\.\.\. (?:SYS_write|write@SYS) resumed>\s*\)?/y;
// ltrace escapes no quotes, so the last one ends the bytes.
const REST = /^(?:"(.*)"(?:\.\.\.)?|[^",]*), (\d+)(?:\s*<unfinished \.\.\.>$|\)?(.*)$)/s;
const RESULT = /^\s*=\s*(-?\d+|0x[\da-f]+)(?:\s|$)/;

/** @see https://man7.org/linux/man-pages/man1/ltrace.1.html */
function createReader(): Reader {
  /** By thread, a call that another thread's line interrupted. */
  const open = new Map<string, LineWrite>();

  return (line) => {
    const [head, bracketed, plain, seconds, hour, minute, second] = HEAD.exec(line) as RegExpExecArray;
    const id = bracketed ?? plain ?? '';
    const isAt = (pattern: RegExp): RegExpExecArray | null => {
      pattern.lastIndex = head.length;
      return pattern.exec(line);
    };
    const finish = (call: LineWrite, text: string) => {
      const value = RESULT.exec(text)?.[1];
      if (value === undefined) return 'unreadable';
      const result = toResult(value);
      return isRestart(result) ? null : { ...call, result };
    };
    if (isAt(RESUMED)) {
      const call = open.get(id);
      open.delete(id);
      return call === undefined ? 'unreadable' : finish(call, line.slice(RESUMED.lastIndex));
    }
    const fd = isAt(BEGIN)?.[1];
    if (fd === undefined)
      return /(?:SYS_write|write@SYS)\(/.test(line.slice(head.length, head.length + 12)) ? 'unreadable' : null;
    const rest = REST.exec(line.slice(BEGIN.lastIndex));
    if (!rest) return 'unreadable';
    const [, quoted, size, after] = rest;
    const count = Number(size);
    const bytes = quoted === undefined ? undefined : unquote(quoted);
    const call: LineWrite = {
      name: 'write',
      time:
        seconds !== undefined
          ? Number(seconds) * 1000
          : hour === undefined
            ? undefined
            : (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000,
      pid: undefined,
      tid: id === '' ? undefined : Number(id),
      fd: toDescriptor(fd),
      count,
      result: undefined,
      // It ends the bytes at the first NUL, without a sign of it.
      ...(bytes ? shown(bytes, bytes.length < count) : NOT_SHOWN),
    };
    if (after !== undefined) return finish(call, after);
    open.set(id, call);
    return null;
  };
}

export const ltrace: Format = {
  id: 'ltrace',
  title: 'ltrace -S',
  recognises: (line) =>
    /^\s*(?:\[pid\s+\d+\]\s+|\d+\s+)?(?:[\d.:]+\s+)?(?:SYS_\w+\(|<\.\.\. SYS_\w+ resumed>|\w+@SYS\(|[\w.+-]+->\w+\()/.test(
      line,
    ),
  reader: createReader,
  sees: { bytes: true, results: true, int80: false, uring: false, clock: 'epoch', ids: 'thread' },
  hidesInt80: 'ltrace prints as SYS_stat, by the table of 64-bit calls',
  command: 'ltrace -L -S -f -ttt -s 64 -o trace -p PID',
  basis: 'recorded live',
};

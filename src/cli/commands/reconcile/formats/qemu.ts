// The lines that qemu's user-mode emulation prints with -strace. It prints a call when it begins and its result when it
// ends, so threads that write together tear each other's lines, and the output of the program comes between.
import { NOT_SHOWN } from './bytes.js';
import type { Format, LineContent, LineWrite, Reader } from './format.js';
import { isRestart } from './results.js';

// Anywhere in a line, because another thread's call may stand before: futex(…)11725 write(13,0x7f00,8) = 8
const CALL =
  /(?<!\d)(\d+) write\((-?\d+),(?:0x[\da-f]+|NULL|nil|\(nil\)),(\d+)\)( = (-?\d+)(?: errno=(\d+) \([^()]*\))?$)?/g;
/** The rest of a line that was torn, which names no call. */
const RESULT = /^ = (-?\d+)(?: errno=(\d+) \(.*\))?$/;

const resultOf = (number: string | undefined, errno: string | undefined): number =>
  errno === undefined ? Number(number) : -Number(errno);

/** The results of so many calls are awaited; each thread makes one at a time. */
const MOST_OPEN = 64;

/** Could a call of such a count return this? */
const fits = ({ count }: LineWrite, result: number): boolean => result < 0 || result === count;

/** @see https://www.qemu.org/docs/master/user/main.html */
function createReader(): Reader {
  /** The calls that have begun, with the last one first: a result most likely belongs to it. */
  let open: LineWrite[] = [];

  function finish(call: LineWrite, result: number): LineContent {
    return isRestart(result) ? null : { ...call, result };
  }

  return (line) => {
    let content: LineContent = null;
    for (const [, pid, fd, count, ended, number, errno] of line.matchAll(CALL)) {
      const call: LineWrite = {
        name: 'write',
        time: undefined,
        pid: Number(pid),
        tid: undefined,
        fd: Number(fd),
        count: Number(count),
        result: undefined,
        ...NOT_SHOWN,
      };
      if (ended === undefined) open = [call, ...open].slice(0, MOST_OPEN);
      else content = finish(call, resultOf(number, errno));
    }
    const [, number, errno] = RESULT.exec(line) ?? [];
    if (number !== undefined) {
      const result = resultOf(number, errno);
      const call = open.find((begun) => fits(begun, result));
      // A result that fits no write is that of another call, which waited: a futex, an epoll_pwait.
      if (!call) return null;
      open = open.filter((begun) => begun !== call);
      return finish(call, result);
    }
    return content ?? (/\bwrite\([^)]*$/.test(line) ? 'unreadable' : null);
  };
}

export const qemu: Format = {
  id: 'qemu',
  title: 'qemu-user -strace',
  // It puts no space behind a comma, pads addresses to 16 digits, and prints an errno as a number; strace does not.
  recognises: (line) =>
    /^\d+ \w+\((?:(?:"[^"]*"|[^"< ])*,[^ ]|.*\) = (?:0x0000[\da-f]{12}$|-1 errno=\d+ \())/.test(line),
  reader: createReader,
  sees: { bytes: false, results: true, int80: true, uring: false, clock: 'none', ids: 'process' },
  command: 'qemu-x86_64 -D trace -strace $(which node) $(which syswire) --record records',
  basis: 'recorded live',
};

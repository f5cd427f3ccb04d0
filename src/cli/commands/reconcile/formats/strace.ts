// The lines of strace, whatever its options add to them.
import { endOfQuoted, NOT_SHOWN, shown, unquote } from './bytes.js';
import { type CallName, ENTER, type Format, type LineContent, type LineWrite, type Reader } from './format.js';
import { resultOf } from './results.js';
import { createLeaderReader, type Leader } from './strace-leader.js';

// The `<path>` of -y, and inside it the `<char 1:3>` of -yy. Paths escape `<`, `>` and `"`; the names of unix sockets are
// quoted; `->` stands between the two ends of a socket. The shortest text that fits is taken.
const INNER = String.raw`[^<>"\\]|\\.|->|"(?:[^"\\]|\\.)*"`;
// Then `(deleted)`, and the `[context]` of --secontext.
// There is no arrow in the inner one: if each could end it, the time for a line of arrows would double with every one.
const DECORATION = String.raw`(?:<(?:${INNER}|<[^<>]*>)*?>(?:\(deleted\))?)?(?: \[[^\]]*\])?`;
// Descriptors and counts are hexadecimal with -e raw=write, and have names with --arg-names.
const NUMBER = String.raw`-?\d+|0x[\da-f]+`;

const SYSTEM_CALL = /(?:[a-z]\w*\(|<\.\.\. |--- |\+\+\+ |\[ Process )/y;
const OF_INTEREST = /(?:write|io_uring_enter)\(/y;
const RESUMED = /<\.\.\. (?:write|io_uring_enter) resumed>/y;
const UNFINISHED = '<unfinished ...>';

const WRITE = new RegExp(String.raw`write\((?:fd=)?(${NUMBER})${DECORATION}, (?:buf=)?("|NULL|0x[\da-f]+)`, 'y');
const ENTERED = new RegExp(
  String.raw`io_uring_enter\((?:fd=)?(${NUMBER})${DECORATION}, (?:to_submit=)?(${NUMBER}), `,
  'y',
);
// The end of a call, `= 6`, `= 0x6`, `= -1 EBADF (Bad file descriptor) (INJECTED) <0.000012>`, or none: `= ?`, and
// `<detached ...>` if strace ended first.
const RESULT = String.raw`= (${NUMBER}|\?)(?: (E[A-Z0-9_]+|\(errno \d+\)))?(?: [(<].*)?$`;
const DETACHED = '<detached \\.\\.\\.>$';
const WRITE_END = new RegExp(
  String.raw`^(?:\.\.\.)?, (?:count=)?(${NUMBER})(?:(?: <\w+ \.\.\.>)?\s*\)\s*${RESULT}|\s*${DETACHED})`,
);
const ENTERED_END = new RegExp(String.raw`^[^"]*?\)\s*${RESULT}|${DETACHED}`);

// strace's own words: notices on stderr, the frames of -k, the bytes of -e write=, the table of -C.
const NOTICE =
  /^(?:strace: |(?:strace: )?\[? ?Process \S*\d+ |\s*> \S|\s*\| [\da-f]{5,} {2}|% time |[- ]{20,}$|\s*\d+\.\d\d +\d+\.\d+ +\d)/;
// A notice may stand behind what strace has printed of a call, which then goes on in the next line.
const NOTICE_BEHIND = /strace: Process \d+ (?:attached|detached)(?: with \d+ threads)?$/;

const isAt = (pattern: RegExp, line: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at;
  return pattern.exec(line);
};

/**
 * Reads a call from its name on.
 *
 * @param tid the thread that made it
 */
function readCall(call: string, time: number | undefined, tid: number | undefined): LineContent {
  const make = (
    name: CallName,
    fd: string,
    count: string,
    number: string | undefined,
    code: string | undefined,
    { text, isWhole }: Pick<LineWrite, 'text' | 'isWhole'>,
  ): LineContent => {
    // For example `= ? ERESTARTSYS`: the kernel repeats the call, see isRestart.
    if (code?.startsWith('ERESTART')) return null;
    const result = resultOf(number ?? '?', code);
    if (result === 'unreadable') return result;
    return { name, time, pid: undefined, tid, fd: Number(fd) | 0, count: Number(count), result, text, isWhole };
  };

  const entered = isAt(ENTERED, call, 0);
  if (entered) {
    const end = ENTERED_END.exec(call.slice(ENTERED.lastIndex));
    return end ? make(ENTER, entered[1] as string, entered[2] as string, end[1], end[2], NOT_SHOWN) : 'unreadable';
  }
  const write = isAt(WRITE, call, 0);
  if (!write) return 'unreadable';
  const bytesAt = WRITE.lastIndex;
  const isText = write[2] === '"';
  const bytesEnd = isText ? endOfQuoted(call, bytesAt) : bytesAt;
  if (bytesEnd < 0) return 'unreadable';
  const rest = call.slice(isText ? bytesEnd + 1 : bytesEnd);
  const end = WRITE_END.exec(rest);
  if (!end) return 'unreadable';
  const bytes = isText ? shown(unquote(call.slice(bytesAt, bytesEnd)), rest.startsWith('...')) : NOT_SHOWN;
  return make('write', write[1] as string, end[1] as string, end[2], end[3], bytes);
}

/**
 * Reads the output of `strace -f -ttt -y -e trace=write,io_uring_enter`.
 *
 * @param thread the thread of lines without an id: -ff writes a file for each
 * @see https://man7.org/linux/man-pages/man1/strace.1.html
 */
function createReader(thread?: number): Reader {
  const readLeader = createLeaderReader();
  /** By thread, the first part of a call that another thread's line interrupted. */
  const open = new Map<string, { call: string; time: number | undefined }>();
  /** The first part of a line that a notice interrupted. */
  let held = '';

  function readAt(line: string, { id, time, end }: Leader): LineContent {
    const tid = id === '' ? thread : Number(id);
    if (isAt(RESUMED, line, end)) {
      const begun = open.get(id);
      open.delete(id);
      return begun ? readCall(begun.call + line.slice(RESUMED.lastIndex), begun.time, tid) : 'unreadable';
    }
    if (!isAt(OF_INTEREST, line, end)) return isAt(SYSTEM_CALL, line, end) ? null : 'foreign';
    if (!line.endsWith(UNFINISHED)) return readCall(line.slice(end), time, tid);
    const isLost = open.has(id);
    open.set(id, { call: line.slice(end, -UNFINISHED.length), time });
    return isLost ? 'unreadable' : null;
  }

  return (part) => {
    const notice = NOTICE_BEHIND.exec(part);
    if (notice && notice.index > 0) {
      held += part.slice(0, notice.index);
      return null;
    }
    if (held === '' && NOTICE.test(part)) return null;
    const line = held + part;
    held = '';
    const content = readAt(line, readLeader(line));
    // The text of another program without a line feed may stand before a call.
    return content === 'foreign' && /\b(?:write|io_uring_enter)(?:\(| resumed>)/.test(line) ? 'unreadable' : content;
  };
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

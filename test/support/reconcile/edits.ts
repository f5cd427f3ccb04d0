// Finds the calls of the records in the lines of a trace of any format, and cuts, alters or adds one of them.
import assert from 'node:assert/strict';
import type { LineWrite } from '../../../src/cli/commands/reconcile/formats/format.js';
import { formatNamed } from '../../../src/cli/commands/reconcile/formats/table.js';

/** Where the lines of a format have the count and the result; `bytes` stands for a piece of a message that they show. */
type Places = { count: RegExp; result: RegExp; radix?: number; bytes?: RegExp };

const KERNEL: Places = {
  count: /\bcount[:=] ?(0x[\da-f]+|\d+)/,
  result: /(?: -> |sys_exit_write:\s+(?:.*ret=)?)(0x[\da-f]+)/,
};
const PLACES: Record<string, Places> = {
  // With -e raw=write the numbers are hexadecimal, and with --arg-names they have a name.
  strace: {
    count: /.*, (?:count=)?(0x[\da-f]+|\d+)\s*\)\s*= /,
    result: /.*\)\s*= (0x[\da-f]+|-?\d+(?: E[A-Z]+ \(.*?\))?)/,
    bytes: /to (one|full|gone|odd) /,
  },
  bpftrace: { count: /\bcount=(\d+)/, result: /\bret=(-?\d+)/ },
  perf: {
    count: /.*\bcount: (0x[\da-f]+|\d+)/,
    result: /(?:sys_exit_write:\s+|.*\)\s+= )(0x[\da-f]+|-?\d+(?: E[A-Z]+ \(.*?\))?)/,
  },
  ftrace: KERNEL,
  'trace-cmd': KERNEL,
  audit: { count: / a2=((?:0x)?[\da-f]+)/, result: / exit=(-?\w+(?:\(.*?\))?)/, radix: 16 },
  runsc: {
    count: /.*, (0x[\da-f]+)\)(?:$|")/,
    result: /(?:.*\) = )(\d+ \(0x[\da-f]+\)(?: errno=28 \(.*?\))?)/,
    bytes: /to (one|full|stdout) /,
  },
  qemu: { count: /write\(\d+,0x[\da-f]+,(\d+)\)/, result: / = (-?\d+(?: errno=28 \(.*\))?)$/ },
  ltrace: { count: /.*"(?:\.\.\.)?, (\d+)/, result: /.* = (-?\d+)$/, bytes: /to (one|full|stdout) / },
};

/** Replaces what a pattern has in its first group. */
function replace(line: string, pattern: RegExp, by: (text: string) => string): string {
  const match = new RegExp(pattern, 'd').exec(line);
  const [from, to] = match?.indices?.[1] ?? [];
  assert.ok(from !== undefined, line);
  return line.slice(0, from) + by(line.slice(from, to)) + line.slice(to);
}

/** Returns another count, written as the one that was there. */
function another(text: string, radix: number): string {
  const isHex = text.startsWith('0x') || radix === 16;
  const value = Number.parseInt(text, isHex ? 16 : 10) + 7000;
  return (text.startsWith('0x') ? '0x' : '') + value.toString(isHex ? 16 : 10);
}

const placesOf = (format: string): Places => PLACES[format] ?? assert.fail(`no places for ${format}`);

/** A call of a trace, with its first and its last line. */
export type TracedCall = { write: LineWrite; first: number; last: number };

/** Returns the calls on the descriptors of the records. */
export function findCalls(format: string, lines: string[], fds: Set<number>): TracedCall[] {
  const read = formatNamed(format).reader();
  const { count } = placesOf(format);
  let first = -1;
  return lines.flatMap((line, last) => {
    const content = read(line);
    // gVisor repeats the count when the call ends.
    const isBegin = count.test(line) && !/ X write\(/.test(line);
    if (isBegin) first = last;
    const isCall = content !== null && typeof content === 'object' && 'name' in content && content.name === 'write';
    return isCall && fds.has(content.fd) ? { write: content, first, last } : [];
  });
}

export type Edit = 'cut' | 'altered' | 'added' | 'other bytes';

/** Returns the lines after an edit of one call; undefined if the trace has no such bytes. */
export function editCall(
  format: string,
  lines: string[],
  { first, last }: TracedCall,
  edit: Edit,
): string[] | undefined {
  const { count, result, bytes, radix = 10 } = placesOf(format);
  const of = [...new Set([first, last])];
  const alter = (line: string): string => replace(line, count, (text) => another(text, radix));
  const onFirst = (by: (line: string) => string): string[] =>
    lines.map((line, index) => (index === first ? by(line) : line));
  switch (edit) {
    case 'cut':
      return lines.filter((_, index) => !of.includes(index));
    case 'altered':
      return onFirst(alter);
    case 'other bytes':
      return bytes?.test(lines[first] as string)
        ? onFirst((line) => replace(line, bytes, (text) => text.replace(/.$/, 'X')))
        : undefined;
    case 'added': {
      // It has a result of its own: else it could be taken for an altered call.
      const copy = of.map((index) => lines[index] as string);
      copy[0] = alter(copy[0] as string);
      copy.push(replace(copy.pop() as string, result, (text) => (text.startsWith('0x') ? '0x1e61' : '7777')));
      return lines.flatMap((line, index) => (index === last ? [line, ...copy] : line));
    }
  }
}

/** The counts after an edit of one of so many calls. */
export const countsAfter = (edit: Edit | 'none', calls: number) => ({
  matched: calls - (edit === 'none' || edit === 'added' ? 0 : 1),
  missing: Number(edit === 'cut'),
  altered: Number(edit === 'altered' || edit === 'other bytes'),
  extra: Number(edit === 'added'),
});

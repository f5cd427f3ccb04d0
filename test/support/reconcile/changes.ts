// Changes one call of a trace: where the lines of each format have the count and the result, and which lines are a call.
import assert from 'node:assert/strict';
import { isCall, type LineWrite } from '../../../src/cli/commands/reconcile/formats/format.js';
import { formatNamed } from '../../../src/cli/commands/reconcile/formats/table.js';

/** Where the lines of a format have the count and the result; `bytes` stands for a piece of a message that they show. */
type Places = { count: RegExp; result: RegExp; radix?: number; bytes?: RegExp };

const KERNEL: Places = {
  count: /\bcount[:=] ?(0x[\da-f]+|\d+)/,
  result: /(?: -> |sys_exit_write:\s+(?:.*ret=)?)(0x[\da-f]+)/,
};
const PLACES: Record<string, Places> = {
  ftrace: KERNEL,
  'trace-cmd': KERNEL,
  audit: { count: / a2=((?:0x)?[\da-f]+)/, result: / exit=(-?\w+(?:\(.*?\))?)/, radix: 16 },
  runsc: {
    count: /.*, (0x[\da-f]+)\)(?:$|")/,
    result: /(?:.*\) = )(\d+ \(0x[\da-f]+\)(?: errno=28 \(.*?\))?)/,
    bytes: /to (one|full|stdout) /,
  },
  qemu: { count: /write\(\d+,0x[\da-f]+,(\d+)\)/, result: / = (-?\d+(?: errno=28 \(.*\))?)$/ },
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

export type Call = { write: LineWrite; first: number; last: number };

/** Returns the calls that the records tell of, with the first and the last line of each. */
export function findCalls(format: string, lines: string[], fds: Set<number>): Call[] {
  const read = formatNamed(format).reader();
  let first = -1;
  return lines.flatMap((line, last) => {
    const content = read(line);
    if (!isCall(content)) {
      if (PLACES[format]?.count.test(line)) first = last;
      return [];
    }
    const begun = PLACES[format]?.count.test(line) && !/ X write\(/.test(line) ? last : first;
    return fds.has(content.fd) ? { write: content, first: begun, last } : [];
  });
}

export type Change = { what: string; lines: string[]; missing: number; altered: number; extra: number };

/** Returns the trace with one call cut, altered or added, and what the comparison must report of it. */
export function changesOf(format: string, lines: string[], { first, last }: Call): Change[] {
  const places = PLACES[format] as Places;
  const one = [...new Set([first, last])];
  const alter = (line: string): string => replace(line, places.count, (text) => another(text, places.radix ?? 10));
  const change = (by: (line: string, index: number) => string | string[]): string[] => lines.flatMap(by);
  const none = { missing: 0, altered: 0, extra: 0 };

  const copy = one.map((index) => lines[index] as string);
  copy[0] = alter(copy[0] as string);
  copy.push(replace(copy.pop() as string, places.result, (text) => (text.startsWith('0x') ? '0x1e61' : '7777')));
  const changes = [
    { ...none, what: 'cut', lines: change((line, index) => (one.includes(index) ? [] : line)), missing: 1 },
    { ...none, what: 'altered', lines: change((line, index) => (index === first ? alter(line) : line)), altered: 1 },
    { ...none, what: 'added', lines: change((line, index) => (index === last ? [line, ...copy] : line)), extra: 1 },
  ];
  const { bytes } = places;
  if (bytes?.test(lines[first] as string)) {
    const other = (line: string): string => replace(line, bytes, (text) => text.replace(/.$/, 'X'));
    const edited = change((line, index) => (index === first ? other(line) : line));
    changes.push({ ...none, what: 'altered in its bytes', lines: edited, altered: 1 });
  }
  return changes;
}

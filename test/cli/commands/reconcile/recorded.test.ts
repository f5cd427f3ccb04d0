// Traces that real tracers made of a running service: each call is found, and so is each change of one line.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { LineWrite } from '../../../../src/cli/commands/reconcile/formats/format.js';
import { formatNamed, formatOf } from '../../../../src/cli/commands/reconcile/formats/table.js';
import { countsOf, type Json, run } from '../../../support/reconcile/run.js';
import { ROOT, tempFolder } from '../../../support/service.js';

const FOLDER = path.join(ROOT, 'test/support/reconcile/traces');

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

type Call = { write: LineWrite; first: number; last: number };

/** Returns the calls that the records tell of, with the first and the last line of each. */
function findCalls(format: string, lines: string[], fds: Set<number>): Call[] {
  const read = formatNamed(format).reader();
  let first = -1;
  return lines.flatMap((line, last) => {
    const content = read(line);
    if (content === null || typeof content === 'string' || 'lost' in content || 'refused' in content) {
      if (PLACES[format]?.count.test(line)) first = last;
      return [];
    }
    const begun = PLACES[format]?.count.test(line) && !/ X write\(/.test(line) ? last : first;
    return fds.has(content.fd) ? { write: content, first: begun, last } : [];
  });
}

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.trace'))) {
  const name = file.replace('.trace', '');
  const recordsName = readdirSync(FOLDER)
    .filter((one) => one.endsWith('.records') && name.startsWith(one.replace('.records', '')))
    .sort((one, other) => other.length - one.length)[0] as string;
  const format = (name.startsWith('trace-cmd') ? 'trace-cmd' : name.split('-')[0]) as string;

  test(`the recorded trace ${name} reconciles, and every change of one call is found`, async (t) => {
    const places = PLACES[format] as Places;
    const records = path.join(FOLDER, recordsName);
    const lines = readFileSync(path.join(FOLDER, file), 'utf8').trimEnd().split('\n');
    const shown = lines.map(formatOf).find((one) => one !== undefined);
    assert.equal(shown?.id, format, 'the format is recognized');

    const edited = path.join(tempFolder(t), 'trace');
    async function judge(trace: string[], what: string, expected: Partial<ReturnType<typeof countsOf>>): Promise<Json> {
      writeFileSync(edited, `${trace.join('\n')}\n`);
      const { out } = await run([edited, records, '--json']);
      const report = JSON.parse(out) as Json;
      const { unobservable, ...counts } = countsOf(report);
      assert.deepEqual(counts, { missing: 0, altered: 0, extra: 0, ...expected }, `${what}: ${out}`);
      return report;
    }

    const made = readFileSync(records, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; fd: number; level: string })
      .filter(({ type, level }) => type === 'call' && level !== 'uring');
    const calls = findCalls(format, lines, new Set(made.map(({ fd }) => fd)));
    assert.equal(calls.length, made.length);
    const matched = made.length;
    await judge(lines, 'unchanged', { matched });

    for (const { first, last } of calls) {
      const one = [...new Set([first, last])];
      const alter = (line: string): string => replace(line, places.count, (text) => another(text, places.radix ?? 10));
      const change = (by: (line: string, index: number) => string | string[]): string[] => lines.flatMap(by);
      const what = `line ${first + 1}`;

      const cut = change((line, index) => (one.includes(index) ? [] : line));
      await judge(cut, `${what} cut`, { matched: matched - 1, missing: 1 });

      const altered = change((line, index) => (index === first ? alter(line) : line));
      await judge(altered, `${what} altered`, { matched: matched - 1, altered: 1 });

      const copy = one.map((index) => lines[index] as string);
      copy[0] = alter(copy[0] as string);
      copy.push(replace(copy.pop() as string, places.result, (text) => (text.startsWith('0x') ? '0x1e61' : '7777')));
      const added = change((line, index) => (index === last ? [line, ...copy] : line));
      await judge(added, `${what} added`, { matched, extra: 1 });

      if (!places.bytes?.test(lines[first] as string)) continue;
      const otherBytes = change((line, index) =>
        index === first ? replace(line, places.bytes as RegExp, (text) => text.replace(/.$/, 'X')) : line,
      );
      await judge(otherBytes, `bytes of ${what} altered`, { matched: matched - 1, altered: 1 });
    }
  });
}

// One table of lines for the readers of all formats: each row is a test.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LineContent } from '../../../src/cli/commands/reconcile/formats/format.js';
import { formatNamed } from '../../../src/cli/commands/reconcile/formats/table.js';

/** The lines that a reader gets, and the content of the last of them. */
export type LineCase = [format: string, lines: string, content: unknown];

export function testLines(cases: readonly LineCase[]): void {
  for (const [format, lines, content] of cases) {
    test(`the reader of ${format} reads: ${lines.slice(0, 90).replaceAll('\n', '⏎')}`, () => {
      const read = formatNamed(format).reader();
      let last: LineContent = null;
      for (const line of lines.split('\n')) last = read(line);
      // Milliseconds computed from decimal seconds are off by less than a microsecond.
      if (last !== null && typeof last === 'object' && 'time' in last && last.time !== undefined)
        last = { ...last, time: Math.round(last.time * 1e3) / 1e3 };
      assert.deepEqual(last, content);
    });
  }
}

// Compares the output of an example with its page.
//
// Outputs are compared line by line after these changes to both sides:
//
//   numbers                  N, with their commas and fractions; but those that EXACT describes stay: they are facts.
//   8 hex digits, addresses  N: run ids, and what is made of them (`e274495f-2` is `N-N`).
//   "host":"…"               N: the name of the machine.
//   ns, µs, ms, s            after a number, one unit: durations differ in size.
//   [… V8's], libuv's        lines of a witness that end so are left out of the output: the garbage collector makes such calls
//                            at any time.
//   spaces                   one, and none at the ends of a line: columns are as wide as their numbers.
//
// All else must be the same: names of errors, texts, JSON keys, levels, and the order of lines. In a page `…` stands
// for anything within a line, and a line that is only `…` for any lines. With UPDATE_DOCS=1 the lines that differ are
// written into the page instead.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../service.js';
import type { Page } from './pages.js';

/** Numbers that must be the same, with what stands around them. */
const EXACT = [
  /"(?:requested|written|status|errno|calls|count)":-?\d+/,
  /\bE[A-Z0-9]+ \(\d+\)/,
  /"E[A-Z0-9]+":\d+/,
  /\b\d+ of \d+ bytes/,
  /\b\d+ → -?\d+/,
  /^(?:matched|missing|altered|extra|unobservable) +\d+/,
  // An exit code.
  /^\d$/,
];
const VARIABLE = [/0x[0-9a-f]{8,}/, /\b[0-9a-f]{8}\b/, /\b(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?/];
const either = (patterns: RegExp[]): string => patterns.map(({ source }) => source).join('|');
const NUMBERS = new RegExp(`(${either(EXACT)})|${either(VARIABLE)}`, 'g');

/** One line without what differs from run to run. */
export const mask = (line: string): string =>
  line
    .replaceAll(NUMBERS, (_, exact?: string) => exact ?? 'N')
    .replaceAll(/"host":"[^"]*"/g, '"host":"N"')
    .replaceAll(/\bN (?:ns|µs|ms|s)\b/g, 'N s')
    .replaceAll(/\s+/g, ' ')
    .trim();

const escapeRegExp = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

function isSameLine(expected: string, got: string): boolean {
  const pattern = mask(expected).split('…').map(escapeRegExp).join('.*');
  return new RegExp(`^${pattern}$`).test(mask(got));
}

/** A system call that a witness saw, and that is not the level's. */
const CALL_OF_NODE = /\[.*, (?:V8|libuv)'s\]$/;

/**
 * Compares an output with the lines of a page.
 *
 * @param isWhole false: the output may go on behind these lines
 * @returns the index of the first expected line that is not met; -1 when the output is as expected
 */
export function firstDifference(expected: readonly string[], output: readonly string[], isWhole = true): number {
  const got = output.filter((line) => !CALL_OF_NODE.test(line));
  let furthest = 0;
  const isMet = (at: number, from: number, toTheEnd: boolean): boolean => {
    if (at === expected.length) return !toTheEnd || from === got.length;
    const line = expected[at] as string;
    if (line.trim() === '…') {
      for (let next = from; next <= got.length; next++) if (isMet(at + 1, next, toTheEnd)) return true;
      return false;
    }
    furthest = Math.max(furthest, at);
    return from < got.length && isSameLine(line, got[from] as string) && isMet(at + 1, from + 1, toTheEnd);
  };
  if (isMet(0, 0, isWhole)) return -1;
  // Every line is there, and more behind them.
  return isMet(0, 0, false) ? expected.length : furthest;
}

/** The outcome of a page's examples. */
export type Result = { run: number; notRun: string[]; differences: string[] };

/** Where the lines of an output stand in a page: `line` is the command's, `from` that of the first line below it. */
export type Place = { line: number; command: string; from: number };
/** Lines to put in place of `count` lines of a page. */
type Update = { from: number; count: number; lines: string[] };

/** Compares outputs with a page, and collects what differs. */
export function createComparison(page: Page, result: Result) {
  const updates: Update[] = [];
  return {
    /** @param isWhole false: the output may go on behind the expected lines */
    compare({ line, command, from }: Place, expected: string[], got: string[], isWhole: boolean): void {
      const at = firstDifference(expected, got, isWhole);
      if (at < 0) return;
      const shown = isWhole ? got : got.slice(0, expected.length);
      const marked = (lines: string[]): string =>
        lines.map((text, index) => `  ${index === at ? '→' : ' '} ${text}`).join('\n');
      result.differences.push(
        `${page.file}:${line}: ${command}\n  the page says\n${marked(expected)}\n  it printed\n${marked(shown)}`,
      );
      const isAligned = shown.length === expected.length;
      const lines = shown.map((text, index) => {
        const old = expected[index] as string;
        return isAligned && isSameLine(old, text) ? old : text;
      });
      updates.push({ from, count: expected.length, lines });
    },
    /** Writes the outputs that differ into the page. */
    update(): void {
      const lines = [...page.lines];
      // From the end, so that the numbers of the lines before stay right.
      for (const { from, count, lines: others } of updates.sort((a, b) => b.from - a.from))
        lines.splice(from - 1, count, ...others);
      writeFileSync(path.join(ROOT, page.file), lines.join('\n'));
    },
  };
}

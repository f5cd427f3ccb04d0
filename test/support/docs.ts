// Runs the examples of README.md and docs/, so that they stay true.
//
// Every ```console block of a page is run, in the order of the page, in a folder of its own and beside a real service
// that the test starts. A line that begins with `$ ` is a command for bash; one that ends in a backslash goes on in the
// next line. The lines below a command are the output it must have, stdout and stderr together.
//
// An HTML comment in the line before a block says how it is run:
//
//   <!-- first terminal -->       The lines are what the service's own terminal shows; a command in it is not run.
//   <!-- goes on -->              The last command does not end by itself. Its output must begin with these lines.
//   <!-- not run: needs Docker -->  The block is left out, for this reason.
//
// The comment <!-- Ctrl-C --> stands alone: it stops the newest command that goes on, as the key does.
//
// Outputs are compared line by line after these changes to both sides:
//
//   numbers                  N, with their commas and fractions; but those that EXACT describes stay: they are facts.
//   8 hex digits, addresses  N: run ids, and what is made of them (`e274495f-2` is `N-N`).
//   "host":"…"               N: the name of the machine.
//   ns, µs, ms, s            after a number, one unit: durations differ in size.
//   spaces                   one, and none at the ends of a line: columns are as wide as their numbers.
//
// All else must be the same: names of errors, texts, JSON keys, levels, and the order of lines. In a page `…` stands
// for anything within a line, and a line that is only `…` for any lines. With UPDATE_DOCS=1 the lines that differ are
// written into the page instead.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { MAIN, ROOT, type Scope, tempFolder } from './service.js';

/** Longer than any example takes on a busy machine. */
const PATIENCE_MS = 20_000;
/** The time that a terminal has to show what was written before, in ms. */
const SHOWN_MS = 5000;
/** The address in the pages. */
const PAGES_ADDRESS = /\b(?:localhost|127\.0\.0\.1):8080\b/g;
const ADDRESS = /http:\/\/(127\.0\.0\.1:\d+)/;

export type Block = {
  language: string;
  /** The line of its first ```, from 1 on. */
  line: number;
  lines: string[];
  /** The comment before it: `goes on`, for example. */
  mark: string | undefined;
};

export type Page = {
  /** Its path from the project's folder. */
  file: string;
  lines: string[];
  /** Blocks, and `Ctrl-C`, in their order. */
  steps: (Block | 'Ctrl-C')[];
  anchors: Set<string>;
  links: { line: number; to: string }[];
};

/** The pages whose examples are run, and whose links are followed. */
export const PAGES = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(path.join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join('docs', name)),
].sort();

/** The anchor that GitHub makes of a heading. https://github.com/Flet/github-slugger */
const slug = (heading: string): string =>
  heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-');

export function readPage(file: string): Page {
  const lines = readFileSync(path.join(ROOT, file), 'utf8').split('\n');
  const page: Page = { file, lines, steps: [], anchors: new Set(), links: [] };
  const seen = new Map<string, number>();
  let block: Block | undefined;
  for (const [index, line] of lines.entries()) {
    if (block) {
      if (line !== '```') {
        block.lines.push(line);
        continue;
      }
      page.steps.push(block);
      block = undefined;
      continue;
    }
    const [, language] = /^```(\w*)/.exec(line) ?? [];
    if (language !== undefined) {
      const [, mark] = /^<!-- (.*) -->$/.exec(lines[index - 1] ?? '') ?? [];
      block = { language, line: index + 1, lines: [], mark };
      continue;
    }
    if (line === '<!-- Ctrl-C -->') page.steps.push('Ctrl-C');
    const [, heading] = /^#+ (.*)$/.exec(line) ?? [];
    if (heading !== undefined) {
      const anchor = slug(heading);
      const times = seen.get(anchor) ?? 0;
      seen.set(anchor, times + 1);
      page.anchors.add(times === 0 ? anchor : `${anchor}-${times}`);
    }
    for (const [, to] of line.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g))
      page.links.push({ line: index + 1, to: to as string });
  }
  if (block) throw new Error(`${file}:${block.line}: the block has no end`);
  return page;
}

/** The links of a page to files and headings that are not there, each with its line. */
export function brokenLinks({ file, links }: Page): string[] {
  return links.flatMap(({ line, to }) => {
    if (/^[a-z]+:/.test(to)) return [];
    const [name, anchor] = to.split('#') as [string, string?];
    const target = name === '' ? file : path.join(path.dirname(file), name);
    const broken = (why: string): string[] => [`${file}:${line}: ${to}: ${why}`];
    if (!existsSync(path.join(ROOT, target))) return broken(`there is no ${target}`);
    if (anchor === undefined || !target.endsWith('.md')) return [];
    return readPage(target).anchors.has(anchor) ? [] : broken(`${target} has no heading for #${anchor}`);
  });
}

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

/**
 * Compares an output with the lines of a page.
 *
 * @param isWhole false: the output may go on behind these lines
 * @returns the index of the first expected line that is not met; -1 when the output is as expected
 */
export function firstDifference(expected: readonly string[], got: readonly string[], isWhole = true): number {
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

export type Command = { command: string; line: number; expected: string[]; expectedLine: number };

/** The commands of a block, each with the lines below it. */
export function commandsOf({ lines, line }: Block): { shown: string[]; commands: Command[] } {
  const shown: string[] = [];
  const commands: Command[] = [];
  for (let at = 0; at < lines.length; at++) {
    const text = lines[at] as string;
    const last = commands.at(-1);
    if (!text.startsWith('$ ')) (last?.expected ?? shown).push(text);
    else {
      let command = text.slice(2);
      const from = line + 1 + at;
      while (command.endsWith('\\')) command = `${command}\n${lines[++at] ?? ''}`;
      commands.push({ command, line: from, expected: [], expectedLine: line + 2 + at });
    }
  }
  return { shown, commands };
}

const linesOf = (output: string): string[] => output.replaceAll('\r', '').replace(/\n$/, '').split('\n');
const shownLines = (output: string): string[] => (output === '' ? [] : linesOf(output));

type Terminal = {
  /** The whole lines that it has shown so far. */
  lines: () => string[];
  /** Resolves when it shows what is asked for. @throws when it does not in time, or the command ends */
  until: (isShown: (lines: string[]) => boolean, ms?: number) => Promise<void>;
  /** Presses Ctrl-C, and waits until the command has ended. */
  interrupt: () => Promise<void>;
};

/** Runs a command in a terminal of its own. https://man7.org/linux/man-pages/man1/script.1.html */
function openTerminal(t: Scope, command: string, cwd: string, env: NodeJS.ProcessEnv): Terminal {
  const child: ChildProcess = spawn('script', ['-qefc', `stty cols 120 -echo; ${command}`, '/dev/null'], {
    cwd,
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const exited = once(child, 'close');
  let output = '';
  child.stdin?.on('error', () => {});
  child.stdout?.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
    child.emit('shown');
  });
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const lines = (): string[] => linesOf(output.slice(0, output.lastIndexOf('\n') + 1));
  async function interrupt(): Promise<void> {
    if (hasEnded()) return;
    child.stdin?.write('\x03');
    const tooLong = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    await exited;
    clearTimeout(tooLong);
  }
  t.after(interrupt);
  return {
    lines,
    interrupt,
    async until(isShown, ms = PATIENCE_MS) {
      const signal = AbortSignal.timeout(ms);
      while (!isShown(lines())) {
        const [end] = await Promise.race([
          once(child, 'shown', { signal }).catch(() => ['it took too long']),
          exited.then(() => ['it ended']),
        ]);
        if (typeof end === 'string' && !isShown(lines())) throw new Error(`${end}, after it had shown:\n${output}`);
      }
    },
  };
}

/** Runs a command to its end. @returns what it printed */
async function run(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  // A process group of its own, so that all of a pipeline can be ended.
  const child = spawn('bash', ['-c', `exec 2>&1\n${command}`], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  let isTooLong = false;
  const timer = setTimeout(() => {
    isTooLong = true;
    process.kill(-(child.pid as number), 'SIGKILL');
  }, PATIENCE_MS);
  const output = await text(child.stdout as Readable);
  clearTimeout(timer);
  return isTooLong ? `${output}(did not end within ${PATIENCE_MS / 1000} s)\n` : output;
}

/** A folder with the commands of the examples: `npx syswire` without npm, and `syswire`. */
function commandFolder(t: Scope): string {
  const folder = tempFolder(t);
  const start = `exec '${process.execPath}' '${MAIN}'`;
  const files = {
    syswire: `${start} "$@"`,
    npx: `[ "$1" = syswire ] || { echo "npx $1: not in an example that is run" >&2; exit 127; }\nshift\n${start} "$@"`,
  };
  for (const [name, script] of Object.entries(files)) {
    const file = path.join(folder, name);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  }
  return folder;
}

/** The outcome of a page's examples. */
export type Result = { run: number; notRun: string[]; differences: string[] };

/** Where the lines of an output stand in a page: `line` is the command's, `from` that of the first line below it. */
type Place = { line: number; command: string; from: number };
/** Lines to put in place of `count` lines of a page. */
type Update = { from: number; count: number; lines: string[] };

/** Compares outputs with a page, and collects what differs. */
function createComparison(page: Page, result: Result) {
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

/** The terminals of a reader: the first one with the service, one for each command that goes on, and one for the rest. */
async function openTerminals(t: Scope) {
  const cwd = tempFolder(t);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: `${commandFolder(t)}:${process.env.PATH}`,
    LC_ALL: 'C.UTF-8',
    SHELL: '/bin/bash',
    TERM: 'dumb',
    NO_COLOR: '1',
    FORCE_COLOR: undefined,
    SYSWIRE_TOKEN: undefined,
    // Also for a service that an example starts.
    SYSWIRE_PORT: '0',
  };
  const addressIn = (lines: string[]): string | undefined => ADDRESS.exec(lines.join('\n'))?.[1];
  const service = openTerminal(t, 'syswire', cwd, env);
  await service.until((lines) => addressIn(lines) !== undefined);
  const own = addressIn(service.lines()) as string;
  /** Of the newest service. */
  let address = own;
  let linesRead = 0;

  const toAddress = (command: string): string => command.replaceAll(PAGES_ADDRESS, address);
  const toPage = (lines: string[]): string[] => lines.map((line) => line.replaceAll(address, '127.0.0.1:8080'));
  const withAddress = (): NodeJS.ProcessEnv => ({ ...env, SYSWIRE_URL: `http://${address}` });

  return {
    toPage,
    run: async (command: string) => toPage(shownLines(await run(toAddress(command), cwd, withAddress()))),

    /** Returns the lines that the service's terminal has shown since the last call: `count`, if they come soon. */
    async readService(count: number): Promise<string[]> {
      await service.until((lines) => lines.length >= linesRead + count, SHOWN_MS).catch(() => {});
      const lines = service.lines().slice(linesRead);
      linesRead += lines.length;
      return toPage(lines);
    },

    async goOn(command: string): Promise<Terminal> {
      const terminal = openTerminal(t, toAddress(command), cwd, withAddress());
      // A watcher shows its first line when it is connected, a service when it listens.
      await terminal.until((lines) => lines.some((line) => line !== ''));
      address = addressIn(terminal.lines()) ?? address;
      return terminal;
    },

    async interrupt(terminal: Terminal): Promise<void> {
      await terminal.interrupt();
      address = own;
    },
  };
}

const isExample = ({ language, mark }: Block): boolean => language === 'console' || mark !== undefined;
const reasonNotToRun = ({ mark }: Block): string | undefined => /^not run: (.+)$/.exec(mark ?? '')?.[1];

/** Runs all examples of a page. */
export async function runPage(t: Scope, page: Page): Promise<Result> {
  const result: Result = { run: 0, notRun: [], differences: [] };
  const steps = page.steps.filter((step) => {
    if (step === 'Ctrl-C') return true;
    const reason = reasonNotToRun(step);
    if (reason !== undefined) result.notRun.push(`${page.file}:${step.line}: ${reason}`);
    return reason === undefined && isExample(step);
  });
  if (steps.length === 0) return result;

  const { compare, update } = createComparison(page, result);
  const terminals = await openTerminals(t);
  const goingOn: { terminal: Terminal; each: Command }[] = [];
  const placeOf = ({ command, line, expectedLine }: Command): Place => ({ command, line, from: expectedLine });

  async function interrupt(): Promise<void> {
    const newest = goingOn.pop();
    if (!newest) return;
    const { terminal, each } = newest;
    await terminal.until((lines) => firstDifference(each.expected, lines, false) < 0, SHOWN_MS).catch(() => {});
    compare(placeOf(each), each.expected, terminals.toPage(terminal.lines()), false);
    await terminals.interrupt(terminal);
  }

  async function runBlock(block: Block): Promise<void> {
    const { shown, commands } = commandsOf(block);
    const [first] = commands;
    if (block.mark === 'first terminal') {
      const place = first ? placeOf(first) : { command: 'the first terminal', line: block.line, from: block.line + 1 };
      const expected = first?.expected ?? shown;
      compare(place, expected, await terminals.readService(expected.length), true);
      return;
    }
    if (block.mark !== undefined && block.mark !== 'goes on')
      throw new Error(`${page.file}:${block.line}: <!-- ${block.mark} -->: support/docs.ts has no such comment`);
    if (!first) throw new Error(`${page.file}:${block.line}: a console block without a command ($ …)`);
    for (const each of commands) {
      if (block.mark === 'goes on' && each === commands.at(-1)) {
        const terminal = await terminals.goOn(each.command).catch((error: Error) => {
          throw new Error(`${page.file}:${each.line}: ${each.command}: ${error.message}`);
        });
        goingOn.push({ terminal, each });
      } else compare(placeOf(each), each.expected, await terminals.run(each.command), true);
    }
  }

  for (const step of steps) {
    if (step === 'Ctrl-C') await interrupt();
    else {
      await runBlock(step);
      result.run += 1;
    }
  }
  while (goingOn.length > 0) await interrupt();
  if (process.env.UPDATE_DOCS === '1') update();
  return result;
}

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
/** How long a terminal may take to show what was written before. */
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

/** What became of a page's examples. */
export type Result = { run: number; notRun: string[]; differences: string[] };

/** Runs all examples of a page. */
export async function runPage(t: Scope, page: Page): Promise<Result> {
  const result: Result = { run: 0, notRun: [], differences: [] };
  const examples = page.steps.filter((step) => step !== 'Ctrl-C' && (step.language === 'console' || step.mark));
  if (examples.length === 0) return result;

  const cwd = tempFolder(t);
  const env = {
    ...process.env,
    PATH: `${commandFolder(t)}:${process.env.PATH}`,
    LC_ALL: 'C.UTF-8',
    SHELL: '/bin/bash',
    TERM: 'dumb',
    NO_COLOR: '1',
    FORCE_COLOR: undefined,
    SYSWIRE_TOKEN: undefined,
    // A service of an example listens on a free port as well.
    SYSWIRE_PORT: '0',
  };
  const isAddressShown = (lines: string[]): boolean => lines.some((line) => ADDRESS.test(line));
  const addressIn = (lines: string[]): string => ADDRESS.exec(lines.join('\n'))?.[1] as string;

  const service = openTerminal(t, 'syswire', cwd, env);
  await service.until(isAddressShown);
  /** The address of the newest service. */
  let address = addressIn(service.lines());
  let shownBefore = 0;
  const goingOn: { terminal: Terminal; check: () => Promise<void> }[] = [];
  /** Lines of the page to put other ones in place of. */
  const updates: { from: number; count: number; lines: string[] }[] = [];

  function compare(
    where: { line: number; command: string; from: number },
    expected: string[],
    got: string[],
    isWhole: boolean,
  ): void {
    const at = firstDifference(expected, got, isWhole);
    if (at < 0) return;
    const shown = (isWhole ? got : got.slice(0, expected.length)).map((line) =>
      line.replaceAll(address, '127.0.0.1:8080'),
    );
    const mark = (lines: string[]): string =>
      lines.map((line, index) => `  ${index === at ? '→' : ' '} ${line}`).join('\n');
    result.differences.push(
      `${page.file}:${where.line}: ${where.command}\n  the page says\n${mark(expected)}\n  it printed\n${mark(shown)}`,
    );
    const isAligned = shown.length === expected.length;
    const lines = shown.map((line, index) =>
      isAligned && isSameLine(expected[index] as string, line) ? (expected[index] as string) : line,
    );
    updates.push({ from: where.from, count: expected.length, lines });
  }

  async function showsOnService(block: Block): Promise<void> {
    const { shown, commands } = commandsOf(block);
    const [first] = commands;
    const expected = first?.expected ?? shown;
    const from = first?.expectedLine ?? block.line + 1;
    const got = (): string[] => service.lines().slice(shownBefore);
    await service.until(() => got().length >= expected.length, SHOWN_MS).catch(() => {});
    compare({ line: block.line, command: first?.command ?? 'the first terminal', from }, expected, got(), true);
    shownBefore = service.lines().length;
  }

  async function goesOn({ command, line, expected, expectedLine }: Command): Promise<void> {
    const terminal = openTerminal(t, command.replaceAll(PAGES_ADDRESS, address), cwd, {
      ...env,
      SYSWIRE_URL: `http://${address}`,
    });
    // Its first line shows that it has begun: a watcher is connected then.
    const begins = terminal.until((lines) => lines.some((shown) => shown !== ''));
    const check = async (): Promise<void> => {
      await terminal.until((lines) => firstDifference(expected, lines, false) < 0, SHOWN_MS).catch(() => {});
      compare({ line, command, from: expectedLine }, expected, terminal.lines(), false);
    };
    goingOn.push({ terminal, check });
    await begins;
    if (isAddressShown(terminal.lines())) address = addressIn(terminal.lines());
  }

  async function interrupt(): Promise<void> {
    const last = goingOn.pop();
    if (!last) return;
    await last.check();
    await last.terminal.interrupt();
    address = addressIn(service.lines());
  }

  async function runBlock(block: Block): Promise<void> {
    if (block.mark === 'first terminal') return showsOnService(block);
    const { shown, commands } = commandsOf(block);
    if (commands.length === 0) {
      result.differences.push(`${page.file}:${block.line}: a console block without a command ($ …): ${shown[0] ?? ''}`);
      return;
    }
    for (const [index, each] of commands.entries()) {
      if (block.mark === 'goes on' && index === commands.length - 1) await goesOn(each);
      else {
        const env1 = { ...env, SYSWIRE_URL: `http://${address}` };
        const output = await run(each.command.replaceAll(PAGES_ADDRESS, address), cwd, env1);
        compare(
          { line: each.line, command: each.command, from: each.expectedLine },
          each.expected,
          shownLines(output),
          true,
        );
      }
    }
  }

  for (const step of page.steps) {
    if (step === 'Ctrl-C') await interrupt();
    else if (step.mark !== undefined && !/^(first terminal|goes on|not run: .+)$/.test(step.mark))
      result.differences.push(
        `${page.file}:${step.line}: <!-- ${step.mark} --> is none of the comments that docs.ts knows`,
      );
    else if (step.mark?.startsWith('not run: ')) result.notRun.push(`${page.file}:${step.line}: ${step.mark.slice(9)}`);
    else if (step.language === 'console' || step.mark === 'first terminal') {
      result.run += 1;
      await runBlock(step);
    }
  }
  while (goingOn.length > 0) await interrupt();

  if (process.env.UPDATE_DOCS === '1' && updates.length > 0) {
    const lines = [...page.lines];
    for (const { from, count, lines: others } of updates.sort((a, b) => b.from - a.from))
      lines.splice(from - 1, count, ...others);
    writeFileSync(path.join(ROOT, page.file), lines.join('\n'));
  }
  return result;
}

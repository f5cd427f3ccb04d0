// Reads a page of README.md and docs/: its blocks, headings and links, and the commands of an example.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../service.js';

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

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
// compare.ts says how outputs are compared.
import type { Scope } from '../service.js';
import { createComparison, firstDifference, type Place, type Result } from './compare.js';
import { type Block, type Command, commandsOf, type Page } from './pages.js';
import { openTerminals, SHOWN_MS, type Terminal } from './terminals.js';

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
      throw new Error(`${page.file}:${block.line}: <!-- ${block.mark} -->: support/docs/run.ts has no such comment`);
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

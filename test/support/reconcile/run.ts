// Runs `syswire reconcile` in this process, on a made-up trace and records.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { Cli } from '../../../src/cli/command.js';
import type { OpinionCounts } from '../../../src/cli/commands/reconcile/opinion.js';
import { reconcile } from '../../../src/cli/commands/reconcile/reconcile.js';
import type { Detail, JudgedRun } from '../../../src/cli/commands/reconcile/report.js';
import { runCommand } from '../../../src/cli/run-command.js';
import { tempFolder } from '../service.js';
import { type MadeCall, PRINT, type Printed } from './synthetic.js';

export type Json = Record<'matched' | 'missing' | 'altered' | 'extra' | 'unobservable' | 'leftOut', number> & {
  witness: OpinionCounts;
  notWatched: number;
  outside: number;
  unrecorded: number;
  runs: JudgedRun[];
  details: Detail[];
  notes: string[];
};

/** Runs the command. @throws UsageError */
export async function run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: number; out: string }> {
  const out: string[] = [];
  const cli: Cli = {
    env,
    print: (line) => out.push(line),
    note: () => {},
    fail: (code) => code,
    stdout: () => process.stdout,
    terminal: null,
    leave: () => assert.fail(),
    atExit: () => {},
    onReopen: () => {},
    untilSignal: () => new AbortController().signal,
    onUncaught: () => {},
  };
  const code = await runCommand('reconcile', reconcile, cli, args);
  return { code, out: out.join('\n') };
}

/** The formats whose lines are made up. */
export const PRINT_ALL = Object.keys(PRINT) as Printed[];

/** Writes a trace and the records of calls to files, and compares them. */
export const reconcileCalls = (t: TestContext, trace: string, calls: MadeCall[], flags: string[] = []) =>
  reconcileLines(
    t,
    trace,
    calls.map(({ record }) => JSON.stringify(record)),
    flags,
  );

/** The same for the lines of a file of records. */
export async function reconcileLines(t: TestContext, trace: string, lines: string[], flags: string[] = []) {
  const folder = tempFolder(t);
  const [traceFile, recordsFile] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  writeFileSync(traceFile, trace);
  writeFileSync(recordsFile, `${lines.join('\n')}\n`);
  const { code, out } = await run([traceFile, recordsFile, '--json', ...flags]);
  return { code, ...(JSON.parse(out) as Json) };
}

export const countsOf = ({ matched, missing, altered, extra, unobservable }: Json) => ({
  matched,
  missing,
  altered,
  extra,
  unobservable,
});

/** Returns the lines that a tracer prints for calls. */
export const printTrace = (format: Printed, calls: MadeCall[]): string =>
  calls.flatMap(({ writes }) => writes.map((write) => `${PRINT[format](write)}\n`)).join('');

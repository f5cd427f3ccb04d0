// `syswire reconcile` in this process, on a trace and records that are made up.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { reconcile } from '../../../src/cli/commands/reconcile/reconcile.js';
import type { Detail } from '../../../src/cli/commands/reconcile/report.js';
import type { Format } from '../../../src/cli/commands/reconcile/traces.js';
import { tempFolder } from '../service.js';
import { type Made, PRINT } from './synthetic.js';

export type Json = Record<'matched' | 'missing' | 'altered' | 'extra' | 'unobservable' | 'leftOut', number> & {
  details: Detail[];
  notes: string[];
};

/** The verb in this process. @throws UsageError */
export async function run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: number; out: string }> {
  const out: string[] = [];
  const code = await reconcile({
    args,
    env,
    print: (line) => out.push(line),
    note: () => {},
    fail: (code) => code,
    stdout: () => process.stdout,
    terminal: null,
    leave: () => assert.fail(),
    atExit: () => {},
    untilSignal: () => new AbortController().signal,
    onUncaught: () => {},
  });
  return { code, out: out.join('\n') };
}

/** Trace and records as files, and what is found. */
export async function found(t: TestContext, trace: string, made: Made[], flags: string[] = []) {
  const folder = tempFolder(t);
  const [traceFile, recordsFile] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  writeFileSync(traceFile, trace);
  writeFileSync(recordsFile, `${made.map(({ record }) => JSON.stringify(record)).join('\n')}\n`);
  const { code, out } = await run([traceFile, recordsFile, '--json', ...flags]);
  return { code, ...(JSON.parse(out) as Json) };
}

export const counts = ({ matched, missing, altered, extra, unobservable }: Json) => ({
  matched,
  missing,
  altered,
  extra,
  unobservable,
});

/** What a tracer of a format prints of the calls. */
export const text = (format: Format, made: Made[]): string =>
  made.flatMap(({ writes }) => writes.map((write) => `${PRINT[format](write)}\n`)).join('');

// Each tracer, with each set of options that changes its lines, on the service that runs: every call is found, and so is
// one call that is cut, altered or added. The table in docs/tracers has what this test saw.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { formatNamed, formatOf } from '../../src/cli/commands/reconcile/formats/table.js';
import { countsAfter, type Edit, editCall, findCalls } from '../support/reconcile/edits.js';
import { cell, comparePage, TRACED_HEAD } from '../support/reconcile/page-table.js';
import { countsOf, type Json, run } from '../support/reconcile/run.js';
import { ROWS, type Row } from '../support/reconcile/tracers.js';
import { ROOT, type Scope, type Service, startService, tempFolder } from '../support/service.js';
import { need } from '../support/tools.js';

const EDITS: Edit[] = ['cut', 'altered', 'added', 'other bytes'];
const LEVELS = ['raw', 'os', 'std'];
/** A file whose path a tracer prints in part, one that is gone, one that looks like the rest of a line, and a full one. */
const TARGETS = ['one', 'gone', 'odd', 'full'];

const cleanups: (() => unknown)[] = [];
const scope = { after: (clean: () => unknown) => cleanups.push(clean) } as unknown as Scope;
let service: Service;
let pid: number;
const rows: string[] = [];

before(async () => {
  const folder = tempFolder(scope);
  const files = { one: 'one', gone: 'gone', odd: 'a >, "b) = 1' };
  const paths = Object.entries(files).map(([name, file]) => `${name}=${path.join(folder, file)}`);
  service = await startService(scope, { args: paths.flatMap((target) => ['--target', target]) });
  rmSync(path.join(folder, files.gone));
  pid = ((await (await fetch(`${service.url}/health`)).json()) as { pid: number }).pid;
});
after(async () => {
  for (const clean of cleanups.reverse()) await clean();
});

/** Skips the test where the tracer is missing or forbidden; CI has those that need no privileges. */
function canTrace(t: TestContext, { tool, trial }: Row): boolean {
  if (!need(t, tool)) return false;
  const [command, ...args] = trial ?? ['strace', '-o', '/dev/null', 'true'];
  const { status, stderr } = spawnSync(command as string, args, { encoding: 'utf8', timeout: 60_000 });
  if (status === 0) return true;
  t.skip(`${tool.command} cannot trace on this machine: ${stderr?.trim().split('\n').at(-1)}`);
  return false;
}

/** Traces one call at each level to each target, and returns the trace and the records. */
async function trace(t: TestContext, { start }: Row): Promise<{ lines: string[]; records: string; fds: Set<number> }> {
  const folder = tempFolder(t);
  const tracer = start(pid, folder);
  t.after(() => tracer.child.kill('SIGKILL'));
  // The tracer sees one of these calls when it is attached. No record that is compared is on their descriptor.
  while (!tracer.isAttached()) {
    assert.equal(tracer.child.exitCode, null, 'the tracer ended');
    await service.write({ level: 'raw', target: 'null', msg: 'attached' });
  }
  const seqs = new Set<number>();
  for (const level of LEVELS)
    for (const target of TARGETS) {
      const { seq } = await service.write({ level, target, msg: `to ${target} é "${level}"\n` });
      seqs.add(seq);
    }
  while (tracer.hasSeen?.('over') === false) {
    assert.equal(tracer.child.exitCode, null, 'the tracer ended');
    await service.write({ level: 'raw', target: 'null', msg: 'over' });
  }
  const file = await tracer.stop();
  const made = (await service.records()).filter(({ seq }) => seqs.has(seq));
  const records = path.join(folder, 'records');
  writeFileSync(records, made.map((record) => `${JSON.stringify(record)}\n`).join(''));
  return {
    lines: readFileSync(file, 'utf8').trimEnd().split('\n'),
    records,
    fds: new Set(made.map(({ fd }) => fd)),
  };
}

for (const [index, row] of ROWS.entries()) {
  const { format, options } = row;
  test(`${format} ${options}: every call is found, and each change of one`, { timeout: 60_000 }, async (t) => {
    if (process.platform !== 'linux' || process.arch !== 'x64') return t.skip('the tracers are of Linux on x86-64');
    if (!canTrace(t, row)) return;
    const matched = LEVELS.length * TARGETS.length;
    let { lines, records, fds } = await trace(t, row);
    const isTorn = (): boolean => {
      const calls = findCalls(format, lines, fds);
      return calls.length < matched || calls.some(({ first, last }) => first !== last);
    };
    for (let again = 0; row.mayTear && isTorn() && again < 2; again++) ({ lines, records, fds } = await trace(t, row));
    assert.equal(lines.map(formatOf).find((one) => one !== undefined)?.id, format, 'the format is recognized');

    if (process.env.KEEP_TRACES === '1' && row.keep !== undefined) {
      const kept = path.join(ROOT, 'test/support/reconcile/traces', row.keep);
      writeFileSync(`${kept}.trace`, `${lines.join('\n')}\n`.replaceAll(ROOT, '/srv/syswire'));
      copyFileSync(records, `${kept}.records`);
    }

    const edited = path.join(tempFolder(t), 'trace');
    async function judge(text: string[], what: string): Promise<Json> {
      writeFileSync(edited, `${text.join('\n')}\n`);
      const { out } = await run([edited, records, '--json']);
      const report = JSON.parse(out) as Json;
      t.diagnostic(`${what}: ${cell(report)} ${JSON.stringify(report.notes)}`);
      return report;
    }
    const whole = await judge(lines, 'whole');
    assert.deepEqual(
      countsOf(whole),
      { ...countsAfter('none', matched), unobservable: 0 },
      JSON.stringify(whole.details.slice(0, 3)),
    );
    const cells = [cell(whole)];

    const calls = findCalls(format, lines, fds);
    assert.equal(calls.length, matched);
    // Another call in each row.
    const call = calls[(index * 5) % calls.length] as (typeof calls)[number];
    for (const edit of EDITS) {
      const text = editCall(format, lines, call, edit);
      // Not every set of options shows bytes.
      if (!text) continue;
      const report = await judge(text, `line ${call.first + 1} ${edit}`);
      assert.deepEqual(countsOf(report), { ...countsAfter(edit, matched), unobservable: 0 }, JSON.stringify(report));
      if (edit !== 'other bytes') cells.push(cell(report));
    }
    rows.push(`| ${formatNamed(format).title} | \`${options}\` | ${cells.join(' | ')} |`);
  });
}

test('docs/tracers has the table of what the tracers here saw', () => comparePage('live traces', TRACED_HEAD, rows));

// `syswire reconcile` with the real service under strace, and a witness of its every call: three sides, of which one is
// made wrong. Against a wrong trace, the witness agrees with the record; against a wrong record, with the trace.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { CallRecord } from '../../src/protocol/records.js';
import { witnessAvailability } from '../../src/syscalls/index.js';
import { PROGRAMS } from '../support/native.js';
import type { Json } from '../support/reconcile/run.js';
import { MAIN, post, startService, tempFolder } from '../support/service.js';
import { need } from '../support/tools.js';

const CALLS = 2000;
const AT_ONCE = 16;
const STRACE = { command: 'strace', package: 'strace' };
const { reason } = witnessAvailability();

type Run = { trace: string[]; records: CallRecord[]; levels: string[]; judge: (lines: string[]) => Json };

/** Calls that `fill` asks a service for, which runs under strace until they are made. */
async function traceService(
  t: TestContext,
  flags: string[],
  fill: (write: (body: object) => Promise<unknown>, levels: string[]) => Promise<unknown>,
): Promise<Run> {
  const folder = tempFolder(t);
  const [trace, records, one] = ['trace', 'records', 'one'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  const strace = ['strace', '-f', '-ttt', '-y', '-e', 'trace=write,io_uring_enter', '-o', trace, ...flags];
  const service = await startService(t, {
    args: ['--record', records, '--target', `one=${one}`, '--target', 'nospace=/dev/full', '--log-level', 'info'],
    wrap: (command) => [...strace, ...command],
  });
  const answer = (await (await fetch(`${service.url}/levels`)).json()) as {
    levels: { id: string; available: boolean }[];
  };
  const levels = answer.levels.filter(({ available }) => available).map(({ id }) => id);
  await fill(async (body) => {
    const answered = await post(`${service.url}/write`, body);
    assert.equal(answered.status, 200);
    await answered.arrayBuffer();
  }, levels);
  assert.equal(await service.stop(), 0);

  const edited = path.join(folder, 'edited');
  return {
    trace: readFileSync(trace, 'utf8').split('\n'),
    records: readFileSync(records, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type === 'call'),
    levels,
    judge(lines) {
      writeFileSync(edited, lines.join('\n'));
      const { stdout, stderr, status } = spawnSync(process.execPath, [MAIN, 'reconcile', edited, records, '--json'], {
        encoding: 'utf8',
        maxBuffer: 1 << 26,
      });
      assert.ok(stdout, stderr);
      const report = JSON.parse(stdout) as Json;
      assert.equal(status, report.missing + report.altered + report.extra > 0 ? 1 : 0);
      return report;
    },
  };
}

/** Returns the numbers of the trace's lines that have a record's call, by its `seq`. */
function findLines({ trace, records }: Run): Map<number, number[]> {
  const found = new Map<number, number[]>();
  // Each message begins with its own number. The ring has no messages, but its last calls are those of the records.
  const byMessage = new Map<string, number>();
  const enters: number[] = [];
  // libuv of newer Nodes has a ring of its own, for its event loop.
  const ring = records
    .flatMap(({ level, systemCalls }) => (level === 'uring' ? (systemCalls ?? []) : []))
    .find(({ name }) => name === 'io_uring_enter')?.arguments[0];
  for (const [index, line] of trace.entries()) {
    const message = / write\(\d+<[^>]*>, "(\d+): /.exec(line)?.[1];
    if (message !== undefined) byMessage.set(message, index);
    if (line.includes(` io_uring_enter(${ring}<`)) enters.push(index);
  }
  for (const { seq, level, preview, systemCalls } of records.toReversed()) {
    if (level === 'uring') {
      const count = systemCalls?.filter(({ name }) => name === 'io_uring_enter').length ?? 1;
      found.set(seq, enters.splice(enters.length - count));
    } else found.set(seq, [byMessage.get(/^\d+/.exec(preview)?.[0] ?? '') as number]);
  }
  return found;
}

test(`the witness agrees with the records of ${CALLS} calls, against each change to their trace`, {
  timeout: 240_000,
}, async (t) => {
  if (reason !== null) return t.skip(reason);
  if (!need(t, STRACE)) return;
  const run = await traceService(t, [], async (write, levels) => {
    let next = 0;
    const caller = async (): Promise<void> => {
      for (let i = next++; i < CALLS; i = next++) {
        const level = levels[i % levels.length];
        // One call in eleven is made without a witness, but not at `uring`: there, reconcile could then take one call's
        // io_uring_enter for that of another, and no change would be certain to show.
        const witness = i % 11 !== 0 || level === 'uring';
        const target = ['one', 'null', 'nospace'][Math.floor(i / levels.length) % 3];
        await write({ level, target, msg: `${i}: hello\n`, witness });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, caller));
  });
  const { trace, records, levels, judge } = run;
  assert.equal(records.length, CALLS);
  const whole = judge(trace);
  assert.deepEqual(
    [whole.matched, whole.missing, whole.altered, whole.extra, whole.unobservable],
    [CALLS, 0, 0, 0, 0],
    JSON.stringify([whole.notes, whole.details.slice(0, 5)]),
  );
  const witnessed = records.filter(({ verdict }) => verdict !== undefined).length;
  assert.deepEqual([whole.witness.records, whole.witness.unconfirmed], [witnessed, 0]);

  const lines = [...trace];
  const at = findLines(run);
  // Calls of `uring` are alike in a trace: which of several is missing, it does not show. So they are counted.
  type Difference = [kind: string, seq: number | null, level: string | undefined, agreesWith: string | undefined];
  const others = (all: Difference[]): Difference[] => all.filter(([, , level]) => level !== 'uring');
  const countUring = (all: Difference[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const [kind, , level] of all) if (level === 'uring') counts[kind] = (counts[kind] ?? 0) + 1;
    return counts;
  };
  const expected: Difference[] = [];
  for (const { seq, level, verdict } of records) {
    const [first, ...further] = at.get(seq) as [number, ...number[]];
    const change = seq % 50;
    if (change > 1 || lines[first]?.includes('unfinished')) continue;
    if (change === 0) for (const line of [first, ...further]) lines[line] = '';
    else lines[first] = (lines[first] as string).replace(/ = .*/, ' = 3');
    expected.push([change === 0 ? 'missing' : 'altered', seq, level, verdict === undefined ? undefined : 'record']);
  }
  const { details, witness } = judge(lines);
  const found = details.map(
    ({ kind, seq, record, witness: opinion }): Difference => [kind, seq, record?.level, opinion?.agreesWith],
  );
  assert.deepEqual(others(found), others(expected));
  assert.deepEqual(countUring(found), countUring(expected));
  assert.deepEqual({ ...witness.agreesWith, record: 0 }, { record: 0, trace: 0, neither: 0, unknown: 0 });
  t.diagnostic(`${CALLS} calls at ${levels.join(', ')}: ${expected.length} changes, each found`);

  // Without io_uring_enter, nothing is known of `uring`.
  const writes = judge(trace.filter((line) => !line.includes(' io_uring_enter(')));
  const ofUring = records.filter(({ level }) => level === 'uring').length;
  assert.deepEqual([writes.matched, writes.missing, writes.unobservable], [CALLS - ofUring, 0, ofUring]);
});

test('the witness agrees with the trace, against the records of calls that an LD_PRELOAD library changed', {
  timeout: 120_000,
}, async (t) => {
  if (reason !== null) return t.skip(reason);
  if (!need(t, STRACE)) return;
  // Its write leaves out the last byte of "hello".
  const shim = path.join(tempFolder(t), 'shim.so');
  execFileSync('cc', ['-shared', '-fPIC', '-o', shim, path.join(PROGRAMS, 'shim.c')]);
  const { trace, records, judge } = await traceService(t, ['-E', `LD_PRELOAD=${shim}`], async (write, levels) => {
    for (const target of ['one', 'null', 'nospace'])
      for (const level of levels)
        for (const msg of ['hello', 'and more']) await write({ level, target, msg, witness: true });
  });
  const report = judge(trace);
  const throughLibc = records.filter(({ level }) => level === 'os' || level === 'std');
  const changed = throughLibc.filter(({ preview }) => preview === 'hello');
  assert.deepEqual([report.missing, report.extra, report.matched], [0, 0, records.length - changed.length]);
  assert.deepEqual(
    report.details.map(({ kind, seq, differs, witness }) => [kind, seq, differs[0], witness?.agreesWith]),
    changed.map(({ seq }) => ['altered', seq, 'bytes', 'trace']),
  );
  for (const { witness } of report.details) assert.match(witness?.verdict ?? '', /^write came from shim\.so\+0x/);
  // The other calls through the library match, and their witness says that libc did not make them.
  assert.equal(report.witness.unconfirmed, throughLibc.length - changed.length);
  assert.match(report.notes.join('\n'), /do not confirm them, first that of record \d+: write came from shim\.so\+0x/);
});

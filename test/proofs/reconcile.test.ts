// `syswire reconcile` with the real service under three real tracers that share no code. It explains every call, and
// then finds every line that a test deletes, alters or adds in the trace.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { formatNamed } from '../../src/cli/commands/reconcile/formats/table.js';
import type { Detail } from '../../src/cli/commands/reconcile/report.js';
import type { CallRecord } from '../../src/protocol/records.js';
import { random } from '../support/reconcile/synthetic.js';
import {
  MAIN,
  openFifo,
  post,
  ROOT,
  type Service,
  type ServiceOptions,
  startService,
  tempFolder,
} from '../support/service.js';
import { need, type Tool } from '../support/tools.js';

const CALLS = 10_000;
const AT_ONCE = 64;
const STRACE = { command: 'strace', package: 'strace' };
const BPFTRACE = { command: 'bpftrace', package: 'bpftrace' };
const PERF = { command: 'perf', package: 'linux-perf' };
const UNSHARE = { command: 'unshare', package: 'util-linux' };

/** Mounts tracefs for one command only: tracepoints need it, and not every machine has it mounted. */
const withTracefs = (command: string[]): string[] => [
  ...['unshare', '--mount', 'sh', '-c', 'mount -t tracefs nodev /sys/kernel/tracing && exec "$@"', 'sh'],
  ...command,
];

/** Returns true if a tracer is installed and can trace here. Skips the test on a machine that forbids it, in CI too. */
function canTrace(t: TestContext, tool: Tool, trial: string[]): boolean {
  if (!need(t, tool, UNSHARE)) return false;
  const [command, ...args] = withTracefs(trial);
  const { status, stderr, error } = spawnSync(command as string, args, { encoding: 'utf8', timeout: 60_000 });
  if (status === 0) return true;
  t.skip(`${tool.command} cannot trace on this machine: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
  return false;
}

type Counts = Record<'matched' | 'missing' | 'altered' | 'extra' | 'unobservable', number>;

function reconcile(
  trace: string,
  records: string,
  ...flags: string[]
): Counts & { details: Detail[]; notes: string[] } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [MAIN, 'reconcile', trace, records, '--json', ...flags],
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  );
  assert.ok(stdout, stderr);
  const report = JSON.parse(stdout);
  assert.equal(status, report.missing + report.altered + report.extra > 0 ? 1 : 0);
  return report;
}

const countsOf = ({ matched, missing, altered, extra, unobservable }: Counts): Counts => ({
  matched,
  missing,
  altered,
  extra,
  unobservable,
});

type Traced = { service: Service; records: string; levels: string[] };

/** Starts the service with six targets, each of which takes all bytes of a call or none. */
async function start(t: TestContext, options: ServiceOptions = {}): Promise<Traced> {
  const folder = tempFolder(t);
  const fifo = openFifo(t);
  const records = path.join(folder, 'records');
  const targets = {
    one: path.join(folder, 'one'),
    two: path.join(folder, 'two'),
    nowhere: '/dev/null',
    nospace: '/dev/full',
    fifo: fifo.path,
  };
  const service = await startService(t, {
    ...options,
    args: ['--record', records, ...Object.entries(targets).flatMap(([name, file]) => ['--target', `${name}=${file}`])],
    stdout: 'pipe',
  });
  closeSync(fifo.writer);
  fifo.reader.resume();
  service.child.stdout?.resume();
  const { levels } = (await (await fetch(`${service.url}/levels`)).json()) as {
    levels: { id: string; available: boolean }[];
  };
  return { service, records, levels: levels.filter(({ available }) => available).map(({ id }) => id) };
}

/** Makes ten thousand calls, spread evenly over levels and targets. */
async function makeCalls({ service, levels }: Traced): Promise<void> {
  const targets = ['one', 'nowhere', 'nospace', 'fifo', 'two', 'stdout'];
  let next = 0;
  const caller = async (): Promise<void> => {
    for (let i = next++; i < CALLS; i = next++) {
      const target = targets[Math.floor(i / levels.length) % targets.length];
      const msg = `${i}: ${'é'.repeat(i % 50)}\t"<${i}>\\\n`;
      const answer = await post(`${service.url}/write`, { level: levels[i % levels.length], target, msg });
      assert.equal(answer.status, 200);
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
}

/** Checks that every call matches, and that `reconcile` finds each change that is then made to the trace. */
function judge(t: TestContext, format: string, trace: string, { records, levels }: Traced, source = records): void {
  const made: CallRecord[] = readFileSync(records, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === 'call');
  assert.ok(made.length >= CALLS);
  const blind = format === 'strace' ? ['uring'] : ['uring', 'int80'];
  const seen = made.filter(({ level }) => !blind.includes(level));
  const unobservable = made.length - seen.length;
  const whole = reconcile(trace, source);
  assert.deepEqual(
    countsOf(whole),
    { matched: seen.length, missing: 0, altered: 0, extra: 0, unobservable },
    JSON.stringify([whole.notes, whole.details.slice(0, 5)]),
  );
  t.diagnostic(`${made.length} calls at ${levels.join(', ')}: ${JSON.stringify(countsOf(whole))}`);

  // The traced writes, each with the lines that belong to it.
  const lines = readFileSync(trace, 'utf8').split('\n');
  const fds = new Set(made.map(({ fd }) => fd));
  const pid = made[0]?.pid;
  const read = formatNamed(format).reader();
  const begun = new Map<string, number>();
  const writes = lines.flatMap((line, index): { time: number; at: [first: number, last: number] }[] => {
    const event = line === '' ? null : read(line);
    const thread = /^(?:\d+|.*?\b\d+\/\d+)/.exec(line)?.[0] ?? '';
    if (event === null || typeof event === 'string' || 'lost' in event || 'refused' in event) {
      begun.set(thread, index);
      return [];
    }
    if (!fds.has(event.fd) || (event.pid ?? event.tid) !== pid) return [];
    return [{ time: event.time ?? 0, at: [format === 'perf' ? (begun.get(thread) as number) : index, index] }];
  });
  // bpftrace has a buffer for each CPU and prints one after the other, so the writes are sorted by time.
  const inRange = writes.sort((a, b) => a.time - b.time).slice(writes.length - seen.length);
  const next = random(CALLS);
  const expected: Counts = { matched: 0, missing: 0, altered: 0, extra: 0, unobservable };
  const seqs: number[] = [];
  for (const [index, { at }] of inRange.entries()) {
    const [first, last] = at;
    // A call that strace printed in two parts is left as it is, because its values are on lines far apart.
    const kind = lines[last]?.includes(' resumed>') ? 99 : Math.floor(next() * 100);
    if (kind === 0) {
      for (const line of at) lines[line] = '';
      expected.missing += 1;
    } else if (kind === 1) {
      lines[first] = alterCount(lines[first] as string);
      expected.altered += 1;
    } else expected.matched += 1;
    if (kind === 2) {
      // perf prints two lines for a call. Of one thread they follow each other, so both can be added here.
      lines[last] += `\n${[...new Set(at)].map((line) => inventCall(lines[line] as string)).join('\n')}`;
      expected.extra += 1;
    }
    if (kind < 2) seqs.push((seen[index] as CallRecord).seq);
  }
  const edited = `${trace}.edited`;
  writeFileSync(edited, lines.join('\n'));
  const found = reconcile(edited, records);
  assert.deepEqual(countsOf(found), expected, JSON.stringify(found.details));
  assert.deepEqual(
    found.details.flatMap(({ seq }) => seq ?? []),
    seqs,
  );
  t.diagnostic(`deleted ${expected.missing}, altered ${expected.altered}, added ${expected.extra}: each found`);
}

/** Returns a trace line of any format with another count. */
const alterCount = (line: string): string =>
  line
    .replace(
      /(\bcount=|, )(\d+)( ret=|\) += )/,
      (_, before, count, after) => `${before}${Number(count) + 7000}${after}`,
    )
    .replace(/\bcount: 0x([\da-f]+)/, (_, count) => `count: 0x${(Number.parseInt(count, 16) + 7000).toString(16)}`);

/** Returns a trace line of a call that was not made. It has a result of its own: else it could be an altered call. */
const inventCall = (line: string): string =>
  alterCount(line)
    .replace(/(\bret=|\) += )-?\d+.*?(?=$| bytes=)/, '$17777')
    .replace(/(sys_exit_write: )0x[\da-f]+/, '$10x1e61');

test('reconcile explains every call in a trace of strace, and finds every change to it', {
  timeout: 240_000,
}, async (t) => {
  if (!need(t, STRACE)) return;
  const trace = path.join(tempFolder(t), 'trace');
  const strace = ['strace', '-f', '-ttt', '-y', '-e', 'trace=write', '-o', trace];
  const traced = await start(t, { wrap: (command) => [...strace, ...command] });
  await makeCalls(traced);
  // The records come from the service itself, while it runs.
  const live = reconcile(trace, traced.service.url);
  assert.equal(live.missing + live.altered + live.extra, 0, JSON.stringify(live.details.slice(0, 5)));
  assert.equal(live.matched + live.unobservable, CALLS);
  assert.equal(await traced.service.stop(), 0);
  judge(t, 'strace', trace, traced);
});

/** Sends SIGINT, as Ctrl-C does, and waits for the end of the process. */
async function interrupt(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGINT');
  await exited;
}

test('reconcile explains every call in a trace of bpftrace, and finds every change to it', {
  timeout: 240_000,
}, async (t) => {
  const script = path.join(ROOT, 'docs/tracers/write.bt');
  const trial = 'tracepoint:syscalls:sys_enter_write { @ = count(); } BEGIN { exit(); }';
  if (!canTrace(t, BPFTRACE, ['bpftrace', '-e', trial])) return;
  const traced = await start(t);
  const { service } = traced;
  const { pid } = (await (await fetch(`${service.url}/health`)).json()) as { pid: number };
  const [command, ...args] = withTracefs(['bpftrace', script, String(pid)]);
  // The service writes answers and records too: the buffer must hold all writes while bpftrace does not read it.
  const env = { ...process.env, BPFTRACE_PERF_RB_PAGES: '4096' };
  const tracer = spawn(command as string, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => tracer.kill('SIGKILL'));
  let text = '';
  tracer.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  // bpftrace sees the message 'attached' once it is attached, and 'over' after all calls.
  const asBytes = (msg: string): string => `bytes=${Buffer.from(msg).toString('hex').replace(/../g, '$& ').trim()}\n`;
  const untilSeen = async (msg: string): Promise<number> => {
    for (;;) {
      const { seq } = await service.write({ level: 'raw', target: 'one', msg });
      if (text.includes(asBytes(msg))) return seq;
      assert.equal(tracer.exitCode, null, 'bpftrace ended');
    }
  };
  const attached = await untilSeen('attached');
  await makeCalls(traced);
  await untilSeen('over');
  await interrupt(tracer);
  await service.stop();

  const trace = path.join(tempFolder(t), 'trace');
  writeFileSync(trace, text);
  // bpftrace could not see the calls from before it was attached: judge only the records from its first 'attached' on.
  const from = attached - (text.split(asBytes('attached')).length - 1);
  const records = path.join(tempFolder(t), 'records');
  const lines = readFileSync(traced.records, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{"type":"call"'));
  writeFileSync(records, lines.slice(from).join('\n'));
  judge(t, 'bpftrace', trace, { ...traced, records });
});

test('reconcile explains every call in a trace of perf, and finds every change to it', {
  timeout: 240_000,
}, async (t) => {
  const events = ['-e', 'syscalls:sys_enter_write', '-e', 'syscalls:sys_exit_write'];
  const data = path.join(tempFolder(t), 'perf.data');
  if (!canTrace(t, PERF, ['perf', 'record', '-q', '-k', 'CLOCK_MONOTONIC', ...events, '-o', data, 'true'])) return;
  const perf = ['perf', 'record', '-q', '-m', '16M', '-k', 'CLOCK_MONOTONIC', ...events, '-o', data];
  const traced = await start(t, { wrap: (command) => withTracefs([...perf, ...command]) });
  await makeCalls(traced);
  await traced.service.stop();
  const fields = ['--ns', '-F', 'trace:comm,pid,tid,tod,event,trace'];
  const [command, ...args] = withTracefs(['perf', 'script', '-i', data, ...fields]);
  const trace = path.join(tempFolder(t), 'trace');
  writeFileSync(trace, execFileSync(command as string, args, { maxBuffer: 1 << 28, stdio: 'pipe' }));
  judge(t, 'perf', trace, traced);
});

// `syswire reconcile` with the real service under tracers that show no more than they must: ftrace, trace-cmd, auditd,
// ltrace and gVisor. Each explains every call; a call that is cut out of its trace, altered or added is one finding.
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { formatNamed } from '../../src/cli/commands/reconcile/formats/table.js';
import { countsAfter, type Edit, editCall, findCalls } from '../support/reconcile/edits.js';
import { cell, comparePage, TRACED_HEAD } from '../support/reconcile/page-table.js';
import { countsOf, type Json, run } from '../support/reconcile/run.js';
import { MAIN, ROOT, type Service, startService, tempFolder } from '../support/service.js';
import { need } from '../support/tools.js';

const UNSHARE = { command: 'unshare', package: 'util-linux' };
const EDITS: Edit[] = ['cut', 'altered', 'added', 'other bytes'];
const LEVELS = ['raw', 'os', 'std'];
/** The rows of the table in docs/tracers. */
const rows: string[] = [];

type Traced = { service: Service; records: string; pid: number };

async function start(t: TestContext): Promise<Traced> {
  const records = path.join(tempFolder(t), 'records');
  const service = await startService(t, { args: ['--record', records, '--target', `one=${records}.one`] });
  const { pid } = (await (await fetch(`${service.url}/health`)).json()) as { pid: number };
  return { service, records, pid };
}

/** Makes four calls at each level that is available. */
async function makeCalls({ service }: Traced): Promise<void> {
  const { levels } = (await (await fetch(`${service.url}/levels`)).json()) as {
    levels: { id: string; available: boolean }[];
  };
  for (const { id } of levels.filter(({ available }) => available))
    for (const target of ['one', 'full', 'one', 'full']) {
      const { seq } = await service.write({ level: id, target, msg: `${id} to ${target} "é", 5) = 5\n` });
      assert.ok(seq);
    }
}

/**
 * Checks that every call matches that the tracer can see, and that each edit of one call is found.
 *
 * @param options the column of the table in docs/tracers
 */
async function judge(format: string, options: string, trace: string, records: string): Promise<void> {
  const { title, sees } = formatNamed(format);
  const made = readFileSync(records, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; fd: number; level: string })
    .filter(({ type }) => type === 'call');
  // Without a witness, calls of `uring` cannot be compared with any trace.
  const seen = made.filter(({ level }) => level !== 'uring' && (level !== 'int80' || sees.int80));
  const lines = readFileSync(trace, 'utf8').trimEnd().split('\n');
  const calls = findCalls(format, lines, new Set(seen.map(({ fd }) => fd)));
  const call = calls[Math.floor(calls.length / 2)];
  assert.ok(call);

  const edited = `${trace}.edited`;
  const cells: string[] = [];
  for (const edit of ['none', ...EDITS] as const) {
    const text = edit === 'none' ? lines : editCall(format, lines, call, edit);
    if (!text) continue;
    writeFileSync(edited, `${text.join('\n')}\n`);
    const { out } = await run([edited, records, '--json']);
    const { unobservable, ...counts } = countsOf(JSON.parse(out) as Json);
    assert.deepEqual(counts, countsAfter(edit, seen.length), `${edit}: ${out}`);
    assert.equal(unobservable, made.length - seen.length);
    // The table is the same on machines without int80.
    const others = seen.filter(({ level }) => !LEVELS.includes(level)).length;
    if (edit !== 'other bytes') cells.push(cell({ ...counts, matched: counts.matched - others }));
  }
  rows.push(`| ${title} | \`${options}\` | ${cells.join(' | ')} |`);
}

type Helper = ChildProcessByStdio<Writable, Readable, null>;

/** Starts a shell script that prints `ready`, waits for the end of its stdin, and cleans up. */
async function startScript(t: TestContext, prefix: string[], script: string, args: string[]): Promise<Helper | null> {
  const [command = '', ...rest] = [...prefix, 'sh', '-c', script, 'sh', ...args];
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'ignore'] });
  const gone = once(child, 'close').then(() => null);
  t.after(async () => {
    child.stdin.end();
    await gone;
  });
  return (await Promise.race([once(child.stdout, 'data'), gone])) === null ? null : child;
}

async function finish(child: Helper): Promise<void> {
  const exited = once(child, 'close');
  child.stdin.end();
  assert.deepEqual(await exited, [0, null]);
}

// A private instance leaves the machine's own tracing as it is. It is removed also when the test fails.
const FTRACE = `set -e
mount -t tracefs nodev /sys/kernel/tracing
cd /sys/kernel/tracing/instances
mkdir "$3"
trap 'cd /sys/kernel/tracing/instances; rmdir "$3" 2>/dev/null || true' EXIT
cd "$3"
echo "$1" > set_event_pid
for half in enter exit; do echo 1 > events/syscalls/sys_\${half}_write/enable; done
echo ready
cat > /dev/null
echo 0 > tracing_on
cat trace > "$2/ftrace"
cd "$2"
if command -v trace-cmd > /dev/null; then trace-cmd extract -B "$3" -o dat > /dev/null && trace-cmd report -i dat > report && trace-cmd report -i dat -R -t > report-R; fi`;

test('reconcile explains every call in a trace of ftrace and of trace-cmd', { timeout: 60_000 }, async (t) => {
  if (!need(t, UNSHARE, { command: 'trace-cmd', package: 'trace-cmd' })) return;
  const traced = await start(t);
  const folder = tempFolder(t);
  const args = [String(traced.pid), folder, `syswire-${process.pid}`];
  const tracer = await startScript(t, ['unshare', '--mount'], FTRACE, args);
  if (!tracer) return t.skip('tracefs cannot be used on this machine');
  await makeCalls(traced);
  await finish(tracer);
  await traced.service.stop();
  await judge('ftrace', 'trace', path.join(folder, 'ftrace'), traced.records);
  await judge('trace-cmd', 'report', path.join(folder, 'report'), traced.records);
  await judge('trace-cmd', 'report -R -t', path.join(folder, 'report-R'), traced.records);
});

// auditd runs with its own configuration, and its rules are of this process only. All is switched off again.
const AUDIT = `set -e
auditctl -s | grep -qx 'pid 0' && auditctl -s | grep -qx 'enabled 0'
backlog=$(auditctl -s | sed -n 's/^backlog_limit //p')
auditd -n -s nochange -c "$2" &
daemon=$!
rule() { auditctl "$1" always,exit -F arch="$2" -S write -F pid="$3"; }
trap 'rule -d b64 "$1"; rule -d b32 "$1"; auditctl -e 0; auditctl -b $backlog; kill $daemon; wait $daemon || true' EXIT
until auditctl -s | grep -qx "pid $daemon"; do kill -0 $daemon; done
auditctl -b 8192
rule -a b64 "$1"
rule -a b32 "$1"
auditctl -e 1
echo ready >&3
cat > /dev/null
exit 0`;

const auditdConf = (folder: string): string => `local_events = yes
write_logs = yes
log_file = ${folder}/log/audit.log
log_group = root
log_format = ENRICHED
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file_action = IGNORE
space_left = 2
space_left_action = IGNORE
admin_space_left = 1
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
overflow_action = IGNORE
plugin_dir = ${folder}/plugins.d
`;

test('reconcile explains every call in the log of auditd, raw and interpreted', { timeout: 60_000 }, async (t) => {
  if (!need(t, { command: 'auditctl', package: 'auditd' }, { command: 'auditd', package: 'auditd' })) return;
  const traced = await start(t);
  const folder = tempFolder(t);
  for (const name of ['log', 'plugins.d']) mkdirSync(path.join(folder, name), { mode: 0o700 });
  writeFileSync(path.join(folder, 'auditd.conf'), auditdConf(folder), { mode: 0o640 });
  // auditctl prints the state to stdout, so `ready` comes by another descriptor.
  const script = `exec 3>&1 > /dev/null; ${AUDIT}`;
  const tracer = await startScript(t, [], script, [String(traced.pid), folder]);
  if (!tracer) return t.skip('the audit of the kernel cannot be used on this machine, or is in use');
  await makeCalls(traced);
  await traced.service.stop();
  await finish(tracer);
  const log = path.join(folder, 'log/audit.log');
  await judge('audit', 'log_format = ENRICHED', log, traced.records);
  const interpreted = path.join(folder, 'interpreted');
  writeFileSync(interpreted, execFileSync('ausearch', ['-if', log, '-i'], { stdio: ['ignore', 'pipe', 'ignore'] }));
  await judge('audit', 'ausearch -i', interpreted, traced.records);
});

test('reconcile explains every call in a trace of ltrace -S', { timeout: 60_000 }, async (t) => {
  if (!need(t, { command: 'ltrace', package: 'ltrace' })) return;
  const traced = await start(t);
  const trace = path.join(tempFolder(t), 'trace');
  const tracer = spawn('ltrace', ['-L', '-S', '-f', '-ttt', '-o', trace, '-p', String(traced.pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(() => tracer.kill('SIGKILL'));
  let said = '';
  tracer.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  // ltrace sees such a message once it is attached. The records that are compared have none on its descriptor.
  while (!existsSync(trace) || !readFileSync(trace, 'utf8').includes('"attached"')) {
    await traced.service.write({ level: 'raw', target: 'null', msg: 'attached' });
    if (tracer.exitCode !== null) return t.skip(`ltrace cannot trace on this machine: ${said}`);
  }
  await makeCalls(traced);
  const exited = once(tracer, 'exit');
  await traced.service.stop();
  await exited;
  const records = `${traced.records}.compared`;
  const lines = readFileSync(traced.records, 'utf8').split('\n');
  writeFileSync(records, lines.filter((line) => !line.includes('"target":"null"')).join('\n'));
  await judge('ltrace', '-L -S -f -ttt', trace, records);
});

// The service runs inside, and so does what asks it. Nothing that they write leaves the sandbox, so the records are
// printed at the end.
const INSIDE = `cd "$(mktemp -d)"
"$1" "$2" --port 8080 --record records --target one=one 2> log & service=$!
exec "$1" --input-type=module -e '
  import { existsSync, readFileSync } from "node:fs";
  const until = (isSo) => {
    for (const end = Date.now() + 60_000; !isSo(); ) if (Date.now() > end) process.exit(1);
  };
  until(() => existsSync("log") && readFileSync("log", "utf8").includes("listening"));
  const url = "http://127.0.0.1:8080";
  const { levels } = await (await fetch(url + "/levels")).json();
  for (const { id: level } of levels.filter(({ available }) => available))
    for (const target of ["one", "full", "one", "full"]) {
      const body = JSON.stringify({ level, target, msg: level + " to " + target + " \\"\\u00e9\\", 0x5) = 5\\n" });
      await fetch(url + "/write", { method: "POST", headers: { "content-type": "application/json" }, body });
    }
  process.kill(Number(process.argv[1]), "SIGTERM");
  until(() => readFileSync("records", "utf8").includes("\\"end\\""));
  process.stdout.write(readFileSync("records"));
' "$service"`;

test('reconcile explains every call in the log of gVisor', { timeout: 120_000 }, async (t) => {
  if (!need(t, { command: 'runsc', package: 'runsc' })) return;
  const runsc = ['--network=none', '--platform=ptrace', '--ignore-cgroups'];
  if (spawnSync('runsc', [...runsc, 'do', 'true'], { timeout: 20_000 }).status !== 0)
    return t.skip('runsc may not run on this machine');
  const folder = tempFolder(t);
  const log = ['--debug', '--strace', '--strace-syscalls=write', `--debug-log=${folder}/`];
  const inside = ['do', 'sh', '-c', INSIDE, 'sh', process.execPath, MAIN];
  const records = path.join(folder, 'records');
  writeFileSync(
    records,
    execFileSync('runsc', [...runsc, ...log, ...inside], { cwd: ROOT, stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  const trace = path.join(folder, 'trace');
  copyFileSync(path.join(folder, readdirSync(folder).find((name) => name.includes('.boot.')) ?? 'no log'), trace);
  await judge('runsc', '--debug --strace', trace, records);
});

test('docs/tracers has the rows of these tracers', () => comparePage('live traces', TRACED_HEAD, rows));

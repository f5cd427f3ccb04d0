// A process lives or dies with a witness exactly as without: each case of lives.cjs runs both ways, and must print the
// same and end in the same way.
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { levels, witnessAvailability } from '../../src/syscalls/index.js';
import { builtAddon, PROGRAMS } from '../support/native.js';
import { tempFolder } from '../support/service.js';
import { need, underAsan } from '../support/tools.js';

const { reason } = witnessAvailability();
const here = { skip: reason ?? false };
const LIVES = path.join(PROGRAMS, 'lives.cjs');

type How = 'with' | 'without';
type Outcome = { code: number | null; signal: string | null; out: string };

async function live(name: string, how: How, library = ''): Promise<Outcome> {
  const child = spawn(process.execPath, [LIVES, builtAddon(), name, how, library], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  const [out, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { code, signal, out };
}

/** The end of the process, and its output. The rest of the output is compared only. */
type Expected = { signal?: string; code?: number; out: RegExp };

const CASES: Record<string, Expected> = {
  storm: { out: /^true\n$/ },
  terminate: { out: /^-9\n$/ },
  'terminate-inside': { out: /^-9\n$/ },
  threads: { out: /^(0,){19}0\n/ },
  collect: { out: /^20000\n$/ },
  overflow: { out: /^(RangeError\n){3}-9\n$/ },
  throw: { out: /^true\n-9\n/ },
  exit: { code: 7, out: /^-9\n$/ },
  'exit-worker': { out: /^5\n-9\n$/ },
  worker: { out: /^0\n-9\n/ },
  child: { out: /SigBlk:\t0+\n.*\n\nSIGTERM\n768\n-9\n/ },
  trap: { out: /^RuntimeError: memory access out of bounds -9 1\n/ },
  'seccomp-trap': { signal: 'SIGSYS', out: /^$/ },
  'seccomp-prctl': { out: /^0\n-9\n$/ },
  'seccomp-trap-elsewhere': { signal: 'SIGSYS', out: /^$/ },
  'seccomp-handled': { out: /\ntrue\nSIGSYS\n$/ },
  'kill-sys': { signal: 'SIGSYS', out: /^$/ },
  'kill-sys-while-writing': { signal: 'SIGSYS', out: /^$/ },
  'kill-sys-ignored': { out: /SigBlk/ },
  'kill-sys-blocked': { out: /^0,0,-9,1073741824\nSigPnd:\t0000000040000000\ntrue\n/ },
  'handler-inside': { out: /\nSIGSYS\n$/ },
  'handler-inside-called': { out: /\nSIGSYS\n$/ },
  'handler-removed': { signal: 'SIGSYS', out: /^$/ },
  mask: { out: /^0,0,512 512\n-9\n/ },
  'mask-all': { out: /^0,-9,-9\n/ },
  altstack: { out: /^0\ntrue\n$/ },
  'bad-address': { out: /^5,100\n$/ },
  taken: { out: /^0,-9,0\n0\n-9\n/ },
  restart: { out: /^0 true\n$/ },
  'killed-while-writing': { signal: 'SIGTERM', out: /^$/ },
  closed: { out: /^true\ntrue\n$/ },
};

async function compare(t: TestContext, name: string, { code, signal, out }: Expected, library = ''): Promise<void> {
  const [without, with_] = await Promise.all([live(name, 'without', library), live(name, 'with', library)]);
  assert.deepEqual(with_, without);
  assert.match(with_.out, out);
  assert.deepEqual([with_.code, with_.signal], [signal ? null : (code ?? 0), signal ?? null]);
  t.diagnostic(JSON.stringify(with_));
}

for (const [name, expected] of Object.entries(CASES))
  test(`with a witness as without: ${name}`, here, (t) => compare(t, name, expected));

/** The cases that call C code of their own. */
for (const [name, program, out] of [
  ['interrupted', 'interrupt', /^65536\n-4\n/],
  ['jump', 'jump', /^77\n.*SigBlk:\\t0000000000000200/],
  ['six', 'six', /^true\n$/],
] as const)
  test(`with a witness as without: ${name}`, here, async (t) => {
    if (!need(t, { command: 'cc', package: 'gcc' })) return;
    if (name === 'jump' && underAsan) return t.skip('the sanitizer warns of a jump out of a signal handler');
    if (name === 'six' && !levels.int80.available) return t.skip(levels.int80.reason ?? '');
    const library = path.join(tempFolder(t), `${program}.so`);
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, path.join(PROGRAMS, `${program}.c`)]);
    await compare(t, name, { out }, library);
  });

test('with a witness as without: copy', here, async (t) => {
  const copy = path.join(tempFolder(t), 'copy.node');
  copyFileSync(builtAddon(), copy);
  await compare(t, 'copy', { out: /^-9,-9\n-9\n/ }, copy);
});

/** Returns the state of a process: `T` for one that was stopped. proc_pid_stat(5) */
const stateOf = (pid: number): string =>
  readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .charAt(0);

for (const how of ['without', 'with'] as const)
  test(`${how} a witness, a write stops a background process of a terminal with tostop`, here, async (t) => {
    if (!need(t, { command: 'python3', package: 'python3' })) return;
    const program = path.join(PROGRAMS, 'terminal.py');
    const command = [process.execPath, LIVES, builtAddon(), 'tostop', how];
    const python = spawn('python3', [program, 'tostop', ...command], { stdio: ['pipe', 'pipe', 'inherit', 'inherit'] });
    const { stdin, stdout } = python as ChildProcessByStdio<Writable, Readable, null>;
    const exited = once(python, 'exit');
    t.after(async () => {
      stdin.end();
      await exited;
    });
    const [line] = await once(createInterface(stdout), 'line');
    let state = '';
    for (const signal = AbortSignal.timeout(20_000); state !== 'T' && state !== 'Z' && !signal.aborted; ) {
      await new Promise(setImmediate);
      state = stateOf(Number(line));
    }
    assert.equal(state, 'T');
  });

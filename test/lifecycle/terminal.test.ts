// The terminal that the service runs in: job control does not stop the service, and a terminal that closes ends it well.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { MAIN, post, ROOT } from '../support/service.js';
import { need } from '../support/tools.js';

const PYTHON = { command: 'python3', package: 'python3' };

/** Starts the service in a terminal of its own. @returns the address where it listens */
async function startInTerminal(
  t: TestContext,
  how: 'close' | 'tostop',
  wrap: (command: string[]) => string[] = (command) => command,
): Promise<{ python: ChildProcess; url: string }> {
  const program = path.join(ROOT, 'test/support/programs/terminal.py');
  const python = spawn('python3', [program, how, ...wrap([process.execPath, MAIN, '--port', '0'])], {
    stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
  });
  t.after(async () => {
    python.stdin?.end();
    if (python.exitCode === null) await once(python, 'exit');
  });
  for await (const line of createInterface(python.stdio[3] as Readable)) {
    if (line.includes('"listening"')) return { python, url: JSON.parse(line).address };
  }
  throw new Error('the service did not start');
}

const nextLine = async (python: ChildProcess): Promise<string> =>
  (await once(createInterface(python.stdout as Readable), 'line'))[0];

test('a terminal that is closed stops the service with exit code 0', async (t) => {
  if (!need(t, PYTHON)) return;
  const { python } = await startInTerminal(t, 'close');
  const status = nextLine(python);
  python.stdin?.write('\n');
  assert.equal(await status, '0', 'the wait status: 134 would be SIGABRT');
});

test('a terminal that is closed stops the service under nohup too, and not under setsid', async (t) => {
  if (!need(t, PYTHON, { command: 'nohup', package: 'coreutils' }, { command: 'setsid', package: 'util-linux' }))
    return;
  const close = async (tool: string): Promise<{ url: string; status: string }> => {
    // The shell leads the session, as a user's shell does. Descriptor 3 keeps the log apart.
    const script = `${tool} "$@" >/dev/null 2>&3 </dev/null & wait`;
    const { python, url } = await startInTerminal(t, 'close', (command) => ['bash', '-ic', script, 'bash', ...command]);
    const status = nextLine(python);
    python.stdin?.write('\n');
    return { url, status: await status };
  };
  const stopped = await close('nohup');
  const signal = AbortSignal.timeout(20_000);
  while (!signal.aborted && (await fetch(`${stopped.url}/health`).catch(() => null)) !== null);
  assert.ok(!signal.aborted, 'nohup did not keep it');
  const { url } = await close('setsid');
  const { pid } = (await (await fetch(`${url}/health`)).json()) as { pid: number };
  t.after(() => process.kill(pid));
});

test('in the background of a terminal with tostop, a write goes through and the service goes on', async (t) => {
  if (!need(t, PYTHON)) return;
  const { url } = await startInTerminal(t, 'tostop');
  for (const level of ['raw', 'os', 'std']) {
    const answer = await post(`${url}/write`, { level, msg: 'hello\n' });
    assert.equal(((await answer.json()) as { written: number }).written, 6, level);
  }
  assert.equal((await fetch(`${url}/health`)).status, 200);
});

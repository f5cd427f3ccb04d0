// The service's log: lines for people in a terminal, which begin in its first column; JSON elsewhere.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import { levels } from '../../../src/syscalls/index.js';
import { ESCAPE, startInTerminal, type Terminal } from '../../support/command.js';
import { post, startService, tempFolder } from '../../support/service.js';
import { need } from '../../support/tools.js';

const SCRIPT = { command: 'script', package: 'bsdutils' };
const PLAIN = { NO_COLOR: '1' };
const LISTENS = /^syswire: (http:\/\/127\.0\.0\.1:\d+)\/ {2}\(Ctrl-C stops it\)\n/m;

async function addressOf(terminal: Terminal): Promise<string> {
  return LISTENS.exec(await terminal.until((shown) => LISTENS.test(shown)))?.[1] as string;
}

test('in a terminal the log begins with the address and how to stop, Ctrl-C stops it, and its lines are text', async (t) => {
  if (!need(t, SCRIPT)) return;
  const terminal = startInTerminal(t, ['--port', '0', '--token', 'a-token-of-20-letters'], PLAIN);
  await addressOf(terminal);
  terminal.type('\x03');
  assert.equal(await terminal.exited, 0);
  // The line feed goes behind ^C, which this terminal does not echo.
  assert.match(
    terminal.shown(),
    /^syswire: http:\/\/127\.0\.0\.1:\d+\/ {2}\(Ctrl-C stops it\)\n\n\d\d:\d\d:\d\d\.\d{3} {2}info {3}stopping\n$/,
  );
});

test('in a terminal a warning is a line of text; its colours obey NO_COLOR, whatever FORCE_COLOR says', async (t) => {
  if (!need(t, SCRIPT)) return;
  const ask = async (env: NodeJS.ProcessEnv): Promise<string> => {
    const terminal = startInTerminal(t, ['--port', '0'], { SYSWIRE_TOKN: '1', ...env });
    await terminal.until((shown) => /stops it\)/.test(shown));
    terminal.type('\x03');
    await terminal.exited;
    return terminal.shown();
  };
  for (const env of [PLAIN, { ...PLAIN, FORCE_COLOR: '1' }, { TERM: 'dumb' }]) {
    const shown = await ask(env);
    assert.match(shown, /^\d\d:\d\d:\d\d\.\d{3} {2}warn {3}SYSWIRE_TOKN is unknown and ignored: did you mean/m);
    assert.doesNotMatch(shown, ESCAPE, JSON.stringify(env));
  }
  for (const env of [{}, { NO_COLOR: '' }]) assert.match(await ask(env), ESCAPE, JSON.stringify(env));
});

test('--log-format decides: JSON in a terminal, text in a pipe', async (t) => {
  if (!need(t, SCRIPT)) return;
  const terminal = startInTerminal(t, ['--port', '0', '--log-format', 'json']);
  const shown = await terminal.until((shown) => /\n/.test(shown));
  assert.equal(JSON.parse(shown.split('\n')[0] as string).msg, 'listening');
  terminal.type('\x03');
  assert.equal(await terminal.exited, 0);
  const log = path.join(tempFolder(t), 'log');
  const piped = startInTerminal(t, ['--port', '0', '--log-format', 'text'], {}, `2>${log}`);
  while (!LISTENS.test(readFileSync(log, { encoding: 'utf8', flag: 'a+' }))) await new Promise(setImmediate);
  piped.type('\x03');
  assert.equal(await piped.exited, 0);
  assert.doesNotMatch(readFileSync(log, 'utf8'), ESCAPE);
});

test('elsewhere than in a terminal the log is JSON', async (t) => {
  const service = await startService(t);
  assert.equal(JSON.parse(await service.logged('listening')).msg, 'listening');
});

const REOPENED = 'the record file was opened again';

/** Makes the service log a line, and waits until the terminal has shown as many of them. */
async function logALine(terminal: Terminal, pid: number, times: number): Promise<void> {
  process.kill(pid, 'SIGUSR1');
  await terminal.until((shown) => shown.split(REOPENED).length > times && shown.endsWith('\n'));
}

for (const args of [[], ['--log-format', 'json']])
  test(`a log line begins in the first column, ${args.length > 0 ? 'as JSON' : 'as text'} too, at every level`, async (t) => {
    if (!need(t, SCRIPT)) return;
    const record = path.join(tempFolder(t), 'records');
    const terminal = startInTerminal(t, ['--port', '0', '--record', record, '--target', 't=/dev/tty', ...args], PLAIN);
    await terminal.until((shown) => /(Ctrl-C stops it\)|"listening"})\n/.test(shown));
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(terminal.shown())?.[0] as string;
    const { pid } = (await (await fetch(`${url}/health`)).json()) as { pid: number };
    let lines = 0;
    for (const level of LEVEL_IDS.filter((id) => levels[id].available))
      for (const target of ['stdout', 'stderr', 't']) {
        const msg = `<${level} to ${target}>`;
        // Twice: only the last byte counts. Then one that ends a line, which needs no further line feed.
        for (const [sent, expected] of [
          [msg, `${msg}\n`],
          [`\n${msg}`, `\n${msg}\n`],
          [`${msg}\n`, `${msg}\n`],
        ] as const) {
          const before = terminal.shown().length;
          await post(`${url}/write`, { level, target, msg: sent });
          await logALine(terminal, pid, ++lines);
          const [shown, log] = terminal
            .shown()
            .slice(before)
            .split(/(?<=\n)(?=\{|\d\d:\d\d)/);
          assert.deepEqual(shown, expected);
          assert.match(log as string, /the record file was opened again.*\n$/);
        }
        const before = terminal.shown().length;
        await logALine(terminal, pid, ++lines);
        assert.match(terminal.shown().slice(before), /^[{\d].*\n$/, 'and no empty line between log lines');
      }
    terminal.type('\x03');
    assert.equal(await terminal.exited, 0);
  });

test('a log that is not in the terminal adds nothing to it; a message to elsewhere adds no line feed', async (t) => {
  if (!need(t, SCRIPT)) return;
  const folder = tempFolder(t);
  const log = path.join(folder, 'log');
  const logged = (words: string): boolean => readFileSync(log, { encoding: 'utf8', flag: 'a+' }).includes(words);
  const apart = startInTerminal(t, ['--port', '0'], PLAIN, `2>${log}`);
  while (!logged('listening')) await new Promise(setImmediate);
  const { address } = JSON.parse(readFileSync(log, 'utf8'));
  await post(`${address}/write`, { level: 'raw', msg: 'no line feed' });
  await apart.until((shown) => /no line feed/.test(shown));
  apart.type('\x03');
  assert.equal(await apart.exited, 0);
  assert.doesNotMatch(apart.shown(), /\n/);
  assert.ok(logged('stopping'));

  const terminal = startInTerminal(t, ['--port', '0', '--target', `file=${path.join(folder, 'out')}`], PLAIN);
  const url = await addressOf(terminal);
  await post(`${url}/write`, { level: 'raw', msg: 'no line feed', target: 'file' });
  const { pid } = (await (await fetch(`${url}/health`)).json()) as { pid: number };
  process.kill(pid, 'SIGTERM');
  assert.equal(await terminal.exited, 0);
  assert.match(terminal.shown(), /stops it\)\n\d\d:\d\d:\d\d\.\d{3} {2}info {3}stopping\n$/);
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { LEVEL_IDS } from '../../src/protocol/names.js';
import { levels } from '../../src/syscalls/index.js';
import { listen, testApp } from './app.js';
import { MAIN, type Scope } from './service.js';

export const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
export const TOKEN = 'a-token-for-this-test';
// biome-ignore lint/suspicious/noControlCharactersInRegex: tests search for this character
export const ESCAPE = /\u001b/;

export type Ran = { code: number | null; out: string; err: string };

export function start(args: string[], url: string, env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, SYSWIRE_URL: url, ...env } });
}

export async function run(args: string[], url: string, { env = {}, input = '' as string | Buffer } = {}): Promise<Ran> {
  const child = start(args, url, env);
  child.stdin?.on('error', () => {}).end(input);
  const [out, err, [code]] = await Promise.all([
    text(child.stdout as Readable),
    text(child.stderr as Readable),
    once(child, 'exit'),
  ]);
  return { code, out, err };
}

/**
 * Run a command in a terminal of 100 columns, and return the text that the terminal shows. When `enough` returns true
 * for the text so far, the command gets a SIGTERM. https://man7.org/linux/man-pages/man1/script.1.html
 */
export async function inTerminal(
  args: string[],
  url: string,
  env: NodeJS.ProcessEnv = {},
  enough: (shown: string) => boolean = () => false,
): Promise<string> {
  const command = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', `stty cols 100; echo $$; exec ${command}`, '/dev/null'], {
    // If CI is set, Node reports that a terminal has no colours.
    env: { ...process.env, CI: undefined, SYSWIRE_URL: url, TERM: 'xterm-256color', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  let isEnough = false;
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    out += chunk;
    if (isEnough || !enough(out)) continue;
    isEnough = true;
    process.kill(Number.parseInt(out, 10), 'SIGTERM');
  }
  return out.slice(out.indexOf('\n') + 1);
}

export type Terminal = {
  /** The text so far, with the terminal's line ends as line feeds. */
  shown: () => string;
  /** Resolves with the text when it is as asked for. @throws if the command ends before, or after 20 s */
  until: (isShown: (shown: string) => boolean) => Promise<string>;
  /** Presses keys. */
  type: (keys: string) => void;
  /** Resolves with the exit code when the command has ended. */
  exited: Promise<number>;
};

/** Start the command in a terminal, all of its standard streams; `redirect` may lead some elsewhere (`2>log`). */
export function startInTerminal(t: Scope, args: string[], env: NodeJS.ProcessEnv = {}, redirect = ''): Terminal {
  const command = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qefc', `stty cols 100 -echo; exec ${command} ${redirect}`, '/dev/null'], {
    // If CI is set, Node reports that a terminal has no colours.
    env: { ...process.env, CI: undefined, NO_COLOR: undefined, TERM: 'xterm-256color', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let out = '';
  child.stdin.on('error', () => {});
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    out += chunk;
    child.emit('shown');
  });
  const shown = (): string => out.replaceAll('\r\n', '\n');
  const exited = once(child, 'close').then(([code]) => code as number);
  let isOver = false;
  exited.then(() => {
    isOver = true;
    child.emit('shown');
  });
  return {
    shown,
    exited,
    type: (keys) => child.stdin.write(keys),
    async until(isShown) {
      while (!isShown(shown())) {
        if (isOver) throw new Error(`it ended, and had shown:\n${shown()}`);
        await once(child, 'shown', { signal: AbortSignal.timeout(20_000) });
      }
      return shown();
    },
  };
}

export async function appWithToken(t: TestContext) {
  const app = testApp(t, { token: TOKEN });
  const url = await listen(app.app);
  const ask = async (path: string) =>
    (await app.app.inject({ url: path, headers: { authorization: `Bearer ${TOKEN}` } })).json();
  return { ...app, url, ask };
}

/**
 * Start `syswire watch` and collect its output. `until` waits until a condition holds: it checks it at each new piece
 * of output.
 */
export function watcher(t: TestContext, args: string[], url: string, env: NodeJS.ProcessEnv = {}) {
  const child = start(['watch', ...args], url, env);
  t.after(() => child.kill('SIGKILL'));
  const got = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (chunk) => {
    got.out += chunk;
    child.emit('output');
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk) => {
    got.err += chunk;
    child.emit('output');
  });
  const exited = once(child, 'exit');
  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await once(child, 'output', { signal: AbortSignal.timeout(20_000) });
  }
  const lines = () => got.out.split('\n').slice(0, -1);
  return { child, got, until, lines, exited };
}

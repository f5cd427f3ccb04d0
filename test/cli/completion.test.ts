// The completion scripts, in the real shells.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { COMMAND_NAMES } from '../../src/cli/commands/index.js';
import { BUILT_IN_NAMES } from '../../src/syscalls/targets/built-in.js';
import { MAIN, tempFolder } from '../support/service.js';
import { need } from '../support/tools.js';

const ZSH = { command: 'zsh', package: 'zsh' };
const SCRIPT = { command: 'script', package: 'bsdutils' };
const LEVELS = ['raw', 'int80', 'uring', 'os', 'std'];

/** A folder with the script, and with files to complete. */
function prepare(t: TestContext, shell: string): string {
  const folder = tempFolder(t);
  writeFileSync(path.join(folder, 'script'), execFileSync(process.execPath, [MAIN, 'completion', shell]));
  for (const name of ['trace one', 'trace-two']) writeFileSync(path.join(folder, name), '');
  mkdirSync(path.join(folder, 'folder'));
  return folder;
}

/** The words of the command line as Bash has them, the last of which is to be completed, and what it may become. */
const IN_BASH: [words: string[], replies: readonly string[]][] = [
  [[''], COMMAND_NAMES],
  [['w'], ['write', 'watch']],
  [['write', ''], LEVELS],
  [['write', 'u'], ['uring']],
  [['write', '--json', 'r'], ['raw']],
  [['write', '--timeout', '5', 'r'], ['raw']],
  [['write', 'raw', ''], []],
  [
    ['write', 'raw', 'x', '--t'],
    ['--target', '--timeout', '--token'],
  ],
  [['write', 'raw', 'x', '--target', ''], BUILT_IN_NAMES],
  [['write', 'raw', 'x', '--target', '=', 'fu'], ['full']],
  [['write', 'raw', 'x', '--target', '='], BUILT_IN_NAMES],
  [['write', '--target', '=', 'full', 'r'], ['raw']],
  [['watch', '--level', ''], LEVELS],
  [
    ['call', 'raw', 'x', '--target', 'f'],
    ['full', 'folder'],
  ],
  [
    ['reconcile', 'tr'],
    ['trace one', 'trace-two'],
  ],
  [['reconcile', 'trace one', 'trace-'], ['trace-two']],
  [['reconcile', '--format', 'b'], ['bpftrace']],
  [['reconcile', 't', 'r', '--to'], ['--token']],
  [['--no'], ['--no-faults', '--no-witness']],
  [['--wi'], ['--witness']],
  [['write', 'raw', 'x', '--w'], ['--witness']],
  [
    ['watch', '--ver'],
    ['--verbose', '--version'],
  ],
  [['--log-level', 'wa'], ['warn']],
  [
    ['serve', '--log-format', ''],
    ['json', 'text', 'auto'],
  ],
  [['--record', 'trace-'], ['trace-two']],
  [['--target', 'a', '=', 'trace-'], ['trace-two']],
  [['--target', '=', 'a', '=', 'trace-'], ['trace-two']],
  [['--target', 'tr'], []],
  [['help', 'wr'], ['write']],
  [
    ['completion', ''],
    ['bash', 'zsh'],
  ],
];

test('the script for Bash completes commands, flags, values, levels, targets and files', (t) => {
  const folder = prepare(t, 'bash');
  const call = `source ./script
COMP_WORDS=(syswire "$@") COMP_CWORD=$#
_syswire
printf '%s\\n' "\${COMPREPLY[@]}"`;
  for (const [words, replies] of IN_BASH) {
    const out = execFileSync('bash', ['-c', call, 'bash', ...words], { cwd: folder, encoding: 'utf8' });
    const got = out.split('\n').filter(Boolean);
    assert.deepEqual(got.sort(), [...replies].sort(), words.join(' '));
  }
  const registered = execFileSync('bash', ['-c', 'source ./script; complete -p syswire'], { cwd: folder });
  assert.equal(String(registered), 'complete -F _syswire syswire\n');
});

/** The keys that a user types, with Tab among them, and the words that the command then gets. */
const IN_ZSH: [typed: string, words: string][] = [
  ['wri\tra\tx --tar\tfu\t', 'write|raw|x|--target=full'],
  ['wri\tur\tx --timeo\t5 --js\t', 'write|uring|x|--timeout=5|--json'],
  ['watch --lev\tint\t', 'watch|--level=int80'],
  ['--no-f\t', '--no-faults'],
  ['--no-w\t', '--no-witness'],
  ['burst ra\tx --wi\t', 'burst|raw|x|--witness'],
  ['watch --verb\t', 'watch|--verbose'],
  ['--log-l\twa\t--log-f\tte\t', '--log-level=warn|--log-format=text'],
  ['reconcile trace-\ttrace\\ \t', 'reconcile|trace-two|trace one'],
  ['call std x --target ful\t', 'call|std|x|--target|full'],
  ['call std x --target=fol\tx', 'call|std|x|--target=folder/x'],
  ['--target a=trace-\t', '--target|a=trace-two'],
  ['hel\tprob\t', 'help|probe'],
  ['comple\tz\t', 'completion|zsh'],
];

test('the script for Zsh completes what a user types', async (t) => {
  if (!need(t, ZSH, SCRIPT)) return;
  const folder = prepare(t, 'zsh');
  // A function with the command's name shows the words that the line has become.
  const setUp = `unset HISTFILE; autoload -U compinit; compinit -D -u; source ./script
syswire() { print -r -- "GOT<\${(j:|:)@}>" }
`;
  writeFileSync(path.join(folder, '.zshrc'), setUp);
  const shell = spawn('script', ['-qec', 'stty cols 200; exec zsh -i', '/dev/null'], {
    cwd: folder,
    env: { ...process.env, ZDOTDIR: folder, TERM: 'dumb', LC_ALL: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 30_000,
  });
  for (const [typed] of IN_ZSH) shell.stdin.write(`syswire ${typed}\n`);
  shell.stdin.write('exit\n');
  const shown = await text(shell.stdout);
  const got = [...shown.matchAll(/GOT<(.*?)>/g)].map(([, words]) => words);
  assert.deepEqual(
    got,
    IN_ZSH.map(([, words]) => words),
    shown,
  );
});

test('the script for Zsh works from a folder of $fpath too', (t) => {
  if (!need(t, ZSH)) return;
  const folder = prepare(t, 'zsh');
  const line = 'cp script _syswire; fpath=($PWD $fpath); autoload -U compinit; compinit -D -u; print $_comps[syswire]';
  assert.equal(execFileSync('zsh', ['-fc', line], { cwd: folder, encoding: 'utf8' }), '_syswire\n');
});

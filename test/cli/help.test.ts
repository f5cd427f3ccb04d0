// The table of each command: --help, `syswire help`, and the page docs/command.md say the same.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { EXITS, type Flag } from '../../src/cli/command.js';
import { loadAll } from '../../src/cli/commands/index.js';
import { FORMAT_IDS } from '../../src/cli/commands/reconcile/formats/table.js';
import { joinWithOr } from '../../src/protocol/format.js';
import { LEVEL_IDS, LEVELS_IN_WORDS } from '../../src/protocol/names.js';
import { BUILT_IN_NAMES } from '../../src/syscalls/targets/built-in.js';
import { run } from '../support/command.js';
import { ROOT } from '../support/service.js';

const PAGES = ['docs/command.md', 'docs/configuration.md'].map((name) => readFileSync(path.join(ROOT, name), 'utf8'));
const commands = await loadAll();
const VERSION: string = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).version;

for (const [name, { summary, flags, details = '', examples, exits }] of commands) {
  /** The letter v stands for a flag of the command, and not for --version. */
  const hasOwnV = Object.values(flags).some((flag: Flag) => flag.short === 'v');

  test(`${name} --help and help ${name}: its flags, two examples, its exit codes, and the page`, async () => {
    const { code, out, err } = await run([name, '--help'], '');
    assert.deepEqual([code, err], [0, '']);
    for (const args of [
      [name, '-h'],
      ['help', name],
      ['--help', name],
    ])
      assert.equal((await run(args, '')).out, out, args.join(' '));
    assert.match(out, new RegExp(`^syswire ${name}\\b`));
    assert.ok(examples.length >= 2);
    const parts = [
      summary,
      details,
      ...Object.keys(flags).map((flag) => `${flag} `),
      '-h, --help',
      hasOwnV ? '  --version ' : '-v, --version',
      ...examples.flat(),
      ...Object.entries(exits).map(([exit, meaning]) => `  ${exit}  ${meaning}\n`),
      'http://127.0.0.1:8080/,',
      'http://127.0.0.1:8080/docs',
    ];
    for (const part of parts)
      assert.ok(out.includes(part) || out.includes(part.trimEnd()), `${part}\nis not in\n${out}`);
    for (const line of out.split('\n')) assert.ok(line.length <= 120, `more than 120 columns: ${line}`);
  });

  test(`docs/ has the flags of ${name}`, () => {
    for (const [flag, { negatable }] of Object.entries(flags)) {
      const spelling = `\`--${negatable ? 'no-' : ''}${flag}`;
      assert.ok(
        PAGES.some((page) => page.includes(spelling)),
        spelling,
      );
    }
  });

  test(`${name} --version prints the version`, async () => {
    for (const flag of hasOwnV ? ['--version'] : ['--version', '-v'])
      assert.deepEqual(await run([name, flag], ''), { code: 0, out: `${VERSION}\n`, err: '' });
  });
}

test('syswire help, --help and -h list every command with its summary, and the exit codes', async () => {
  const { code, out, err } = await run(['help'], '');
  assert.deepEqual([code, err], [0, '']);
  for (const flag of ['--help', '-h']) assert.equal((await run([flag], '')).out, out);
  for (const [name, { summary }] of commands)
    assert.match(out, new RegExp(`^  syswire \\[?${name}\\b.*  ${summary.replace(/[()]/g, '\\$&')}$`, 'm'));
  for (const [exit, meaning] of Object.entries(EXITS)) assert.ok(out.includes(`  ${exit}  ${meaning}\n`));
  assert.deepEqual(await run(['-v'], ''), { code: 0, out: `${VERSION}\n`, err: '' });
});

const HELP: [topic: string, has: string[]][] = [
  ['levels', LEVEL_IDS.map((id) => `\n  ${id.padEnd(5)}  ${LEVELS_IN_WORDS[id].is}\n`)],
  ['targets', [...BUILT_IN_NAMES, '\n  curl -s http://127.0.0.1:8080/targets', ' --target log=/tmp/log']],
  ...LEVEL_IDS.map((id): [string, string[]] => [
    id,
    [`${id}: ${LEVELS_IN_WORDS[id].is}`, LEVELS_IN_WORDS[id].manual, `\n  syswire write ${id} hello\n`],
  ]),
];

for (const [topic, has] of HELP)
  test(`syswire help ${topic}`, async () => {
    const { code, out, err } = await run(['help', topic], '');
    assert.deepEqual([code, err], [0, '']);
    for (const part of has) assert.ok(out.includes(part), `${part}\nis not in\n${out}`);
    for (const line of out.split('\n')) assert.ok(line.length <= 120, `more than 120 columns: ${line}`);
  });

test('docs/command.md has every command, and the exit codes of `syswire help`', () => {
  const [page = ''] = PAGES;
  for (const name of commands.keys()) assert.match(page, new RegExp(`^\\|.*\`syswire ${name}`, 'm'));
  for (const [exit, meaning] of Object.entries(EXITS)) assert.ok(page.includes(`| ${exit} | ${meaning}`), meaning);
});

const MISTAKES: [line: string, says: string][] = [
  ['wirte raw x', "command 'wirte' is unknown: use serve, write, .*; did you mean write\\?"],
  ['help wach', "command 'wach' is unknown: use serve, .*; did you mean watch\\?"],
  ['raw hi', "command 'raw' is unknown: it is a level: syswire write raw MSG writes at it"],
  ['start', "command 'start' is unknown: syswire alone starts the service"],
  ['status', "command 'status' is unknown: curl -s http://127\\.0\\.0\\.1:8080/health shows .*"],
  ['toString', "command 'toString' is unknown: use serve, .*"],
  ['9000', "command '9000' is unknown: for a port, give --port 9000; with npm, npm start -- --port 9000"],
  ['frobnicate', "command 'frobnicate' is unknown: use serve, .* or completion"],
  ['write raw x --taget y', 'unknown flag --taget: did you mean --target\\?'],
  ['--no-fault', 'unknown flag --no-fault: did you mean --no-faults\\?'],
  ['write raw x --no-json', 'unknown flag --no-json: syswire write --help lists the flags; a message that .*'],
  ['write raw hi -v', '-v prints the version and does nothing else: leave it out, or give syswire -v'],
  ['watch -v --version', '--version prints the version and does nothing else: leave it out, or .*'],
  ['write raw hi --witness=yes', "--witness takes no value: leave 'yes' out"],
  ['call --json --version raw hi', '--version prints the version and does nothing else: leave it out, or .*'],
  ['write raw -x', 'unknown flag -x: .*; a message that begins with - comes after --'],
  ['call RAW x', "level 'RAW' is unknown: use raw, int80, uring, os or std; did you mean raw\\?"],
  ['call fast x', "level 'fast' is unknown: use raw, int80, uring, os or std"],
  ['call raw x --target', '--target needs a value: give --target NAME\\|PATH'],
  ['call raw x --json=yes', "--json takes no value: leave 'yes' out"],
  ['--log-format txt', '--log-format txt: must be json, text or auto; did you mean text\\?'],
  ['reconcile t r --format perv', `--format perv: must be ${joinWithOr(FORMAT_IDS)}; did you mean perf\\?`],
  ['reconcile t', 'file of records is missing: the command is syswire reconcile TRACE… RECORDS'],
  ['completion fish', "shell 'fish' is unknown: use bash or zsh"],
];

for (const [line, says] of MISTAKES)
  test(`${line}: exit 2, one line that says what to do`, async () => {
    const { code, out, err } = await run(line.split(' '), '');
    assert.match(err, new RegExp(`^syswire: ${says}\n$`));
    assert.deepEqual([code, out], [2, '']);
  });

test('a message behind -- may begin with a dash; a flag may stand anywhere, with = too', async () => {
  for (const args of [
    ['call', 'raw', '--', '--json'],
    ['call', '--target=stdout', 'raw', '--', '--json'],
    ['call', 'raw', '--target', 'stdout', '--', '--json'],
  ])
    assert.deepEqual(await run(args, ''), { code: 0, out: '--json', err: '' });
});

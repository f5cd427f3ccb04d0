// README.md and docs/: the examples print what the pages say, and every link leads somewhere. support/docs/run.ts
// says how an example is written; UPDATE_DOCS=1 writes what it prints now into its page.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { firstDifference, type Result } from './support/docs/compare.js';
import { brokenLinks, PAGES, readPage } from './support/docs/pages.js';
import { runPage } from './support/docs/run.js';
import { ROOT } from './support/service.js';
import { mayDo, need, type Tool } from './support/tools.js';

/** The outside tools of the examples. */
const TOOLS: Tool[] = [
  { command: 'curl', package: 'curl' },
  { command: 'strace', package: 'strace' },
];
const TERMINAL: Tool = { command: 'script', package: 'bsdutils' };

const total: Result = { run: 0, notRun: [], differences: [] };

for (const page of PAGES.map(readPage)) {
  test(`the links of ${page.file} lead somewhere`, (t) => {
    // An image for tests is made of some of the project's files.
    if (!existsSync(path.join(ROOT, 'Dockerfile'))) return t.skip('not all files of the project are here');
    assert.deepEqual(brokenLinks(page), []);
  });

  const consoles = page.steps.filter((step) => step !== 'Ctrl-C').filter(({ language }) => language === 'console');
  if (consoles.length === 0) continue;
  test(`the examples of ${page.file} print what it says`, { timeout: 60_000 }, async (t) => {
    if (process.platform !== 'linux' || process.arch !== 'x64') return t.skip('the examples are of Linux on x86-64');
    const text = consoles.flatMap(({ lines }) => lines).join('\n');
    if (!need(t, TERMINAL, ...TOOLS.filter(({ command }) => new RegExp(`\\b${command} -`).test(text)))) return;
    if (text.includes('strace -') && !mayDo(t, 'trace a process', 'strace', '-o', '/dev/null', 'true')) return;
    const result = await runPage(t, page);
    total.run += result.run;
    total.notRun.push(...result.notRun);
    if (result.differences.length > 0) assert.fail(`\n${result.differences.join('\n\n')}\n`);
  });
}

after(() => {
  console.log(`examples: ${total.run} blocks run, ${total.notRun.length} not run`);
  for (const reason of total.notRun) console.log(`  ${reason}`);
});

test('npx runs the command in the folder of the project', (t) => {
  if (!need(t, { command: 'npx', package: 'npm' })) return;
  // --no: it must not look for a package of that name elsewhere. https://docs.npmjs.com/cli/v10/commands/npx
  const version = execFileSync('npx', ['--no', 'syswire', '--version'], { cwd: ROOT, encoding: 'utf8' });
  assert.match(version, /^\d+\.\d+\.\d+\n$/);
});

test('an example may differ in numbers, ids, durations and widths, and in nothing else', () => {
  const page = ['{"requestId":"a0c0a6e6-1","level":"raw","written":28,"error":null,"durationNs":40610}'];
  const differs = (line: string): number => firstDifference(page, [line]);
  assert.equal(
    differs('{"requestId":"00aa11bb-7","level":"raw","written":28,"error":null,"durationNs":123456789}'),
    -1,
  );
  for (const other of [
    '{"requestId":"00aa11bb-7","level":"os","written":28,"error":null,"durationNs":1}',
    '{"requestId":"00aa11bb-7","level":"raw","written":27,"error":null,"durationNs":1}',
    '{"requestId":"00aa11bb-7","level":"raw","written":28,"error":{},"durationNs":1}',
    '{"requestId":"00aa11bb-7","level":"raw","written":28,"error":null,"took":1}',
  ])
    assert.equal(differs(other), 0, other);

  assert.equal(
    firstDifference(['  1  20:40:20.385  os  2 → ENOSPC  68.4 µs  hi'], ['12  09:00:00.001 os 2 → ENOSPC 1.2 ms hi']),
    -1,
  );
  for (const [line, other] of [
    ['missing       1', 'missing       0'],
    ['syswire: write to full: ENOSPC (28): No', 'syswire: write to full: ENOSPC (5): No'],
    ['2', '1'],
    ['1 os 28 → 28 hi', '1 os 28 → 27 hi'],
    ['12 of 12 bytes at raw', '11 of 12 bytes at raw'],
  ] as const)
    assert.equal(firstDifference([line], [other]), 0, other);
  assert.equal(firstDifference(['1  os  2 → ENOSPC  hi'], ['1  os  2 → EIO  hi']), 0);
  assert.equal(firstDifference(['a', '…', 'z'], ['a', 'b', 'c', 'z']), -1);
  assert.equal(firstDifference(['a', '…', 'z'], ['a', 'z']), -1);
  assert.equal(firstDifference(['a', '…', 'z'], ['a', 'b', 'c']), 2);
  assert.equal(firstDifference(['{"a":…}'], ['{"a":[1,{"b":2}]}']), -1);
  assert.equal(firstDifference(['a'], ['a', 'b']), 1);
  assert.equal(firstDifference(['a', 'b'], ['a']), 1);
  assert.equal(firstDifference([], ['a']), 0);
  assert.equal(firstDifference(['a'], ['a', 'b'], false), -1);
});

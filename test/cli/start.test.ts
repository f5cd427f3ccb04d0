// The modules that a command loads: the service's modules take longer than most commands run, and node:util touches stderr.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { MAIN, ROOT, tempFolder } from '../support/service.js';

/** Run the command, and return the files that it loaded. https://nodejs.org/api/cli.html#node_v8_coveragedir */
function loadedBy(folder: string, args: string[]): string[] {
  execFileSync(process.execPath, [MAIN, ...args], { env: { ...process.env, NODE_V8_COVERAGE: folder } });
  return readdirSync(folder).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as { result: { url: string }[] };
    return result.map(({ url }) => url);
  });
}

/** Returns the chunks of dist/ with a package inside: with a word that its code has. */
function chunksOf(word: string): string[] {
  const folder = path.join(ROOT, 'dist/chunks');
  const chunks = readdirSync(folder).filter((name) => readFileSync(path.join(folder, name), 'utf8').includes(word));
  assert.ok(chunks.length > 0, `no chunk has ${word}`);
  return chunks;
}

const FASTIFY = 'FST_ERR_ROUTE_DUPLICATED';
const ZOD = 'ZodError';
const WS = 'Sec-WebSocket-Version';
const PINO = 'asJson';

for (const [args, mayNotLoad] of [
  [
    ['call', 'raw', 'x', '--target', '/dev/null'],
    [FASTIFY, ZOD, WS, PINO],
  ],
  [['help'], [FASTIFY]],
  [['--version'], [FASTIFY]],
  [['serve', '--help'], [FASTIFY]],
  [['completion', 'zsh'], [FASTIFY]],
] as const)
  test(`${args.join(' ')} does not load the service`, (t) => {
    const files = loadedBy(tempFolder(t), [...args]);
    assert.ok(
      files.some((url) => url.endsWith('dist/cli/main.js')),
      'the list has the files',
    );
    for (const chunk of mayNotLoad.flatMap(chunksOf))
      assert.ok(!files.some((url) => url.endsWith(chunk)), `${chunk} is loaded`);
  });

test('nothing that main.ts imports at its start imports node:util, which touches stderr on Node 24', () => {
  const seen = new Set<string>();
  function visit(file: string): void {
    if (seen.has(file)) return;
    seen.add(file);
    const source = readFileSync(file, 'utf8');
    for (const [, from = ''] of source.matchAll(
      /^(?:import (?!type )|export .*from |\} from )(?:.* from )?'([^']+)'/gm,
    )) {
      assert.notEqual(from, 'node:util', file);
      if (from.startsWith('.')) visit(path.join(path.dirname(file), from.replace(/\.js$/, '.ts')));
    }
  }
  visit(path.join(ROOT, 'src/cli/main.ts'));
  assert.ok(seen.has(path.join(ROOT, 'src/cli/commands/index.ts')) && seen.size >= 8, [...seen].join('\n'));
});

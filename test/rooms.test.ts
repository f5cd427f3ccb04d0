// Imports run one way: cli → server → syscalls → native. What each room may import stands here.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from './service.js';

const ROOMS: Record<string, { rooms: string[]; packages: RegExp }> = {
  syscalls: { rooms: [], packages: /^(node:.*|koffi|node-gyp-build)$/ },
  server: { rooms: ['syscalls'], packages: /^(?!koffi|node-gyp-build)/ },
  cli: { rooms: ['server', 'syscalls'], packages: /^(node:.*|pino|zod|ws|cli-truncate)$/ },
  page: { rooms: ['server'], packages: /^(zod|\/vendor\/uplot\.js)$/ },
};

const importsOf = (source: string): string[] =>
  [...source.matchAll(/^(?:import |(?:import|export|\}).*?from )'([^']+)'|import\('([^']+)'\)/gm)].map(
    ([, one, other]) => (one ?? other) as string,
  );

for (const [room, { rooms, packages }] of Object.entries(ROOMS)) {
  test(`src/${room} imports only ${[...rooms.map((name) => `src/${name}`), 'what it may'].join(', ')}`, () => {
    const folder = path.join(ROOT, 'src', room);
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    )) {
      for (const name of importsOf(readFileSync(path.join(folder, file), 'utf8'))) {
        const [, other] = /^(?:\.\.\/)+(\w+)\//.exec(name) ?? [];
        if (other) assert.ok(rooms.includes(other), `${file} imports ${name}`);
        else if (!name.startsWith('.')) assert.match(name, packages, `${file} imports ${name}`);
      }
    }
  });
}

test('src/page takes nothing but types of others: it runs in the browser', () => {
  const folder = path.join(ROOT, 'src/page');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts')))
    for (const [line] of readFileSync(path.join(folder, file), 'utf8').matchAll(
      /^(?!import type ).* from '(\.\.|zod).*$/gm,
    ))
      assert.fail(`${file}: ${line}`);
});

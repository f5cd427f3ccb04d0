// Imports run one way: cli → server → syscalls → native, and inside the server door and routes → calls → records.
// A room is a folder of src/, or a single file. The table says which rooms and packages each room may import.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from './support/service.js';

type Room = { rooms: string[]; packages: RegExp };
const NODE_ONLY = /^node:/;
const SERVER_PACKAGES = /^(?!koffi)/;

const ROOMS: Record<string, Room> = {
  protocol: { rooms: [], packages: /^zod$/ },
  'protocol/names': { rooms: [], packages: /^$/ },
  'protocol/unsafe': { rooms: [], packages: /^$/ },
  'protocol/preview': { rooms: ['protocol/unsafe'], packages: /^$/ },
  'protocol/system-call': { rooms: [], packages: /^$/ },
  'protocol/limits': { rooms: [], packages: /^$/ },
  'protocol/system-call-text': { rooms: ['protocol/limits', 'protocol/system-call'], packages: /^$/ },
  syscalls: {
    rooms: [
      ...['protocol/names', 'protocol/limits', 'protocol/preview'],
      ...['protocol/system-call', 'protocol/system-call-text'],
    ],
    packages: /^(node:.*|koffi)$/,
  },
  'server/refusal': { rooms: ['protocol'], packages: NODE_ONLY },
  'server/version': { rooms: [], packages: NODE_ONLY },
  'server/files': { rooms: [], packages: NODE_ONLY },
  'server/lifecycle': { rooms: [], packages: NODE_ONLY },
  'server/records': { rooms: ['protocol', 'syscalls'], packages: /^(node:.*|ws)$/ },
  'server/metrics': {
    rooms: ['protocol', 'syscalls', 'server/records', 'server/refusal', 'server/version'],
    packages: /^prom-client$/,
  },
  'server/calls': {
    rooms: ['protocol', 'syscalls', 'server/records', 'server/metrics', 'server/lifecycle', 'server/refusal'],
    packages: NODE_ONLY,
  },
  'server/answers': { rooms: ['protocol', 'server/metrics', 'server/refusal'], packages: SERVER_PACKAGES },
  'server/documents': { rooms: ['protocol', 'server/answers', 'server/version'], packages: SERVER_PACKAGES },
  'server/door': {
    rooms: ['protocol', 'server/answers', 'server/metrics', 'server/lifecycle', 'server/refusal'],
    packages: SERVER_PACKAGES,
  },
  'server/routes': {
    rooms: [
      ...['protocol', 'syscalls', 'server/door', 'server/calls', 'server/records', 'server/answers'],
      ...['server/documents', 'server/metrics', 'server/refusal', 'server/version', 'server/files'],
    ],
    packages: SERVER_PACKAGES,
  },
  server: { rooms: ['protocol', 'syscalls'], packages: SERVER_PACKAGES },
  cli: { rooms: ['protocol', 'server', 'syscalls'], packages: /^(node:.*|pino|zod|ws|cli-truncate)$/ },
  page: { rooms: ['protocol'], packages: /^uplot$/ },
};

/** Returns the innermost room of a file. @param file its path below src/, without the ending */
function roomOf(file: string): string {
  for (let room = file; room !== '.'; room = path.dirname(room)) if (room in ROOMS) return room;
  throw new Error(`src/${file} is in none of the rooms: add its room to the table`);
}

/** Returns the names that a module imports or exports from. */
const importsOf = (source: string): string[] =>
  [...source.matchAll(/^(?:import |(?:import|export|\}).*?from )'([^']+)'|import\('([^']+)'\)/gm)].map(
    ([, one, other]) => (one ?? other) as string,
  );

const isIn = (file: string, room: string): boolean => file === room || file.startsWith(`${room}/`);

const files = readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.slice(0, -'.ts'.length));

for (const [room, { rooms, packages }] of Object.entries(ROOMS)) {
  const others = rooms.map((name) => `src/${name}`).join(', ');
  const title = rooms.length > 0 ? `imports only from ${others}` : 'imports from no other room';
  test(`src/${room} ${title}, and no package that the table does not allow`, () => {
    const inside = files.filter((file) => roomOf(file) === room);
    assert.ok(inside.length > 0, `there is no src/${room}`);
    // A folder's own files put its inner rooms together, so they may import all of them.
    const allowed = [...rooms, room];
    for (const file of inside)
      for (const name of importsOf(readFileSync(path.join(ROOT, 'src', `${file}.ts`), 'utf8'))) {
        if (!name.startsWith('.')) assert.match(name, packages, `src/${file}.ts imports ${name}`);
        else {
          const imported = path.join(path.dirname(file), name).replace(/\.js$/, '');
          if (imported.startsWith('..')) continue; // package.json
          assert.ok(
            allowed.some((one) => isIn(imported, one)),
            `src/${file}.ts imports ${name}`,
          );
        }
      }
  });
}

test('no room imports itself through other rooms', () => {
  const imports = new Map<string, Set<string>>();
  for (const file of files) {
    const room = roomOf(file);
    for (const name of importsOf(readFileSync(path.join(ROOT, 'src', `${file}.ts`), 'utf8'))) {
      const imported = path.join(path.dirname(file), name);
      if (!name.startsWith('.') || imported.startsWith('..')) continue;
      const other = roomOf(imported.replace(/\.js$/, ''));
      if (other !== room) imports.set(room, (imports.get(room) ?? new Set()).add(other));
    }
  }
  function visit(room: string, way: readonly string[]): void {
    assert.ok(!way.includes(room), `a circle: ${[...way, room].join(' → ')}`);
    for (const other of imports.get(room) ?? []) visit(other, [...way, room]);
  }
  for (const room of imports.keys()) visit(room, []);
});

/** The files of protocol/ that run in the browser: the others need zod or Node, and the page has neither. */
const RUNS_IN_BROWSER = /\/protocol\/(names|format|unsafe|system-call|system-call-text)\.js$/;

test('src/page imports only types from other rooms, and values only from files that run in a browser', () => {
  for (const file of files.filter((name) => isIn(name, 'page')))
    for (const [line, name = ''] of readFileSync(path.join(ROOT, 'src', `${file}.ts`), 'utf8').matchAll(
      /^(?!import type ).* from '((?:\.\.\/)+(?:protocol|server)\/[^']+|zod)'.*$/gm,
    ))
      assert.match(name, RUNS_IN_BROWSER, `src/${file}.ts: ${line}`);
});

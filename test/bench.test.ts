// docs/performance.md has the tables of docs/bench.json, which a run of the benches wrote: no figure by hand.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Published } from '../bench/publish.js';
import { markdownOf } from '../bench/table.js';
import { ROOT } from './support/service.js';

const read = (name: string): string => readFileSync(path.join(ROOT, 'docs', name), 'utf8');

test('every table of docs/performance.md is the one of docs/bench.json', () => {
  const page = read('performance.md');
  const { machine, tables } = JSON.parse(read('bench.json')) as Published;
  const places = [...page.matchAll(/<!-- bench: (\w+) -->\n([\s\S]*?)<!-- end -->/g)].map(([, id, text]) => [
    id,
    text?.trim(),
  ]);
  const expected = new Map(tables.map((table) => [table.id, markdownOf(table)]));
  assert.deepEqual(
    places.filter(([id]) => id !== 'machine'),
    places.flatMap(([id]) => (id === 'machine' ? [] : [[id, expected.get(id as string)]])),
  );
  assert.deepEqual(places.map(([id]) => id).sort(), ['machine', ...expected.keys()].sort());
  assert.match(page, new RegExp(machine.date));
});

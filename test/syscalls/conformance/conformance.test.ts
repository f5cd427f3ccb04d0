// Runs every case of the conformance table at every level that is available on this machine.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import { levels } from '../../../src/syscalls/index.js';
import { CASES, makeBench } from './cases.js';

let ran = 0;
const absent = LEVEL_IDS.filter((id) => !levels[id].available);

for (const { name, from, run, expect, differs = {} } of CASES) {
  test(`${name} [${from}]`, async (t) => {
    for (const id of LEVEL_IDS.filter((level) => !absent.includes(level))) {
      const own = differs[id];
      await t.test(own ? `${id}, which differs: ${own.why}` : id, () => {
        const folder = mkdtempSync(path.join(tmpdir(), 'syswire-'));
        const bench = makeBench(folder, levels[id].write);
        try {
          const seen = run(bench);
          if (own?.or === undefined || seen !== own.or) assert.deepEqual(seen, own ? own.expect : expect);
          ran += 1;
        } finally {
          bench.close();
          rmSync(folder, { recursive: true });
        }
      });
    }
  });
}

after(() => {
  const here = LEVEL_IDS.length - absent.length;
  console.log(`conformance: ${CASES.length} cases × ${here} levels = ${ran} of ${CASES.length * here}`);
  for (const id of absent) console.log(`conformance: ${id} is not available here: ${levels[id].reason}`);
});

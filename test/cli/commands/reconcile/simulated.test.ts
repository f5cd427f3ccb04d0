// Simulated traces, from a seed each: the verdict equals what was done to the trace, whatever the clock did.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { countsOf, reconcileCalls } from '../../../support/reconcile/run.js';
import { simulate } from '../../../support/reconcile/simulated.js';

const SEED = Number(process.env.SIMULATED_SEED ?? 1);
const COUNT = Number(process.env.SIMULATED_COUNT ?? 1000);

test('the verdict on a simulated trace is what was done to it', { timeout: 600_000 }, async (t) => {
  t.diagnostic(`seeds ${SEED} to ${SEED + COUNT - 1}; SIMULATED_SEED and SIMULATED_COUNT choose others`);
  const wrong: string[] = [];
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const { made, trace, expected, does } = simulate(seed);
    const counts = countsOf(await reconcileCalls(t, trace, made));
    if (!isDeepStrictEqual(counts, expected))
      wrong.push(`seed ${seed}, ${does}: ${JSON.stringify(counts)} in place of ${JSON.stringify(expected)}`);
  }
  assert.deepEqual(wrong, []);
});

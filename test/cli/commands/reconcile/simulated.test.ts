// Simulated traces, from a seed each: the verdict equals what was done to the trace, whatever the clock did.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countsOf, reconcileCalls } from '../../../support/reconcile/run.js';
import { simulate } from '../../../support/reconcile/simulated.js';

const SEED = Number(process.env.SIMULATED_SEED ?? 1);
const COUNT = Number(process.env.SIMULATED_COUNT ?? 1000);

test('the verdict on a simulated trace is what was done to it', { timeout: 600_000 }, async (t) => {
  t.diagnostic(`seeds ${SEED} to ${SEED + COUNT - 1}; SIMULATED_SEED and SIMULATED_COUNT choose others`);
  const wrong: string[] = [];
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const { format, made, trace, expected, settings, message, zone, seqs } = simulate(seed);
    const report = await reconcileCalls(t, trace, made);
    try {
      assert.deepEqual(countsOf(report), expected);
    } catch {
      wrong.push(
        `seed ${seed}: ${format} ${zone} ${JSON.stringify(settings)} ${String(message)} of ${made.length}\n  expected ${JSON.stringify(expected)} ${seqs}\n  reported ${JSON.stringify(countsOf(report))} ${report.details.map((d) => d.kind[0] + ':' + (d.seq ?? 'l' + d.trace[0]?.line)).join(' ')}`,
      );
    }
  }
  assert.deepEqual(wrong.length, 0, `${wrong.length} of ${COUNT} traces:\n${wrong.slice(0, 12).join('\n')}`);
});

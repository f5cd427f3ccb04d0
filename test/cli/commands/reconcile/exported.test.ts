// The formats that are read from their documentation: traces in each shape that it describes, with changes at random.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatOf } from '../../../../src/cli/commands/reconcile/formats/table.js';
import { EXPORTED } from '../../../support/reconcile/exported.js';
import { countsOf, reconcileCalls } from '../../../support/reconcile/run.js';
import { editTrace, makeCalls, random } from '../../../support/reconcile/synthetic.js';

const KINDS = ['deleted', 'altered', 'added'];
const SEED = Number(process.env.PROPERTY_SEED ?? 20);

for (const [name, print] of Object.entries(EXPORTED)) {
  test(`a trace of ${name} reconciles, and every change is found`, async (t) => {
    const next = random(SEED);
    const made = makeCalls(400, next, { levels: ['raw', 'os', 'std'] });
    const lines = (writes: Parameters<typeof print>[0][]): string =>
      writes.map((write) => `${print(write)}\n`).join('');
    const whole = made.flatMap(({ writes }) => writes);
    assert.equal(formatOf(lines(whole).split('\n')[0] as string)?.id, name.split(',')[0]?.split(' ')[0]);

    const unchanged = await reconcileCalls(t, lines(whole), made);
    assert.deepEqual(
      countsOf(unchanged),
      { matched: made.length, missing: 0, altered: 0, extra: 0, unobservable: 0 },
      JSON.stringify(unchanged.details.slice(0, 3)),
    );

    const { writes, expected } = editTrace(made, 0.1, next, KINDS);
    const changed = await reconcileCalls(t, lines(writes), made);
    assert.deepEqual(countsOf(changed), expected, `seed ${SEED}: ${JSON.stringify(changed.details.slice(0, 3))}`);
    assert.equal(changed.code, 1);
  });

  test(`other bytes in a trace of ${name} are found, where it shows them`, async (t) => {
    const made = makeCalls(40, random(SEED), { fds: [18], message: (seq) => `${seq} is the number of this message` });
    const trace = made
      .flatMap(({ record, writes }) =>
        writes.map((write) =>
          print(record.seq === 7 ? { ...write, bytes: Buffer.from(write.bytes).fill('X') } : write),
        ),
      )
      .join('\n');
    const showsBytes = formatOf(trace.split('\n')[0] as string)?.sees.bytes && !name.includes('tracepoints');
    const { altered, matched } = await reconcileCalls(t, trace, made);
    assert.deepEqual([altered, matched], showsBytes ? [1, 39] : [0, 40]);
  });
}

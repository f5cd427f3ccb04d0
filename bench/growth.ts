// The cost of a recorded call as messages, subscribers and the ring grow: CPU time of the service per call of a burst.
import { watchBurst } from './stream.js';
import { rounded, type Table } from './table.js';

const SIZES = [1, 16, 256, 4096, 65_536, 1 << 20];
const SUBSCRIBERS = [0, 1, 2, 5, 10, 20, 50, 100, 200];
const HISTORIES = [1000, 10_000, 100_000, 1_000_000];
const CALLS = 200_000;
/** At this rate, a subscriber that keeps up gets every record. */
const SLOW = { count: 20_000, ratePerSecond: 10_000 };

async function grow<T extends number>(values: T[], cost: (value: T) => Promise<number>): Promise<Table['rows']> {
  const rows: Table['rows'] = [];
  for (const value of values) rows.push([value, rounded(await cost(value))]);
  return rows;
}

export async function benchGrowth(): Promise<Table[]> {
  const perCall = async (...args: Parameters<typeof watchBurst>): Promise<number> =>
    (await watchBurst(...args)).cpuNs / args[1].count;
  return [
    {
      id: 'sizes',
      title: `CPU time of a call by the size of its message, bursts of ${CALLS.toLocaleString('en-US')}`,
      columns: ['bytes', 'ns a call'],
      rows: await grow(SIZES, (size) => perCall(0, { count: CALLS, msg: 'x'.repeat(size) })),
      notes: [],
    },
    {
      id: 'subscribers',
      title: `CPU time of a call by the number of subscribers, at ${SLOW.ratePerSecond.toLocaleString('en-US')} calls a second`,
      columns: ['subscribers', 'ns a call'],
      rows: await grow(SUBSCRIBERS, (subscribers) => perCall(subscribers, SLOW)),
      notes: [],
    },
    {
      id: 'histories',
      title: `CPU time of a call by the records that the ring keeps, bursts of ${(2 * Math.max(...HISTORIES)).toLocaleString('en-US')}`,
      columns: ['records kept', 'ns a call'],
      rows: await grow(HISTORIES, (history) => perCall(0, { count: 2 * Math.max(...HISTORIES) }, { history })),
      notes: [],
    },
  ];
}

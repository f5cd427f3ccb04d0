// The stream: the records that subscribers get during a burst, and what they cost the service.
import { post } from './bursts.js';
import { buildOf, cpuTime, program, ROOT, start, withProcesses } from './processes.js';
import { median, rounded, type Table } from './table.js';

const SUBSCRIBERS = [0, 1, 10, 100];
const CALLS = 100_000;
const ROUNDS = 5;
const RATES = [50_000, 100_000, 200_000, 300_000, 400_000, 600_000];
const SECONDS = 2;
const MSG = 'Hello world from interrupt!\n';

type Seen = { cpuNs: number; seconds: number; callsPerSecond: number; delivered: number; lost: number };

/**
 * Makes one burst in a new service, until its subscribers have all of it.
 *
 * @param options the service's options
 */
export async function watchBurst(
  subscribers: number,
  burst: { count: number; msg?: string; ratePerSecond?: number },
  options: object = {},
): Promise<Seen> {
  return withProcesses(async (open) => {
    const args = [program('service.mjs'), buildOf(ROOT), JSON.stringify({ maxSubscribers: 1000, ...options })];
    const [service, port] = await start(process.execPath, args);
    const url = `ws://127.0.0.1:${port}/events`;
    const [watchers] = await start(process.execPath, [program('subscriber.mjs'), url, `${subscribers}`]);
    open.push(watchers, service);
    const request = { level: 'raw', target: 'nil', msg: MSG, ...burst };
    // The compilers have their turn first.
    const warmUp = 20_000;
    await (await post(port, '/bursts', { ...request, count: warmUp, ratePerSecond: 40_000 })).arrayBuffer();
    const before = (await watchers.ask(`${warmUp}`)).split(' ').map(Number);
    const cpuBefore = cpuTime(service.pid);
    const begin = performance.now();
    const { callsPerSecond } = (await (await post(port, '/bursts', request)).json()) as { callsPerSecond: number };
    const after = (await watchers.ask(`${warmUp + burst.count}`)).split(' ').map(Number);
    return {
      cpuNs: cpuTime(service.pid) - cpuBefore,
      seconds: (performance.now() - begin) / 1000,
      callsPerSecond,
      delivered: (after[0] as number) - (before[0] as number),
      lost: (after[1] as number) - (before[1] as number),
    };
  });
}

export async function benchStream(): Promise<Table[]> {
  const costs = new Map<number, number>();
  const rows: Table['rows'] = [];
  for (const subscribers of SUBSCRIBERS) {
    const seen: Seen[] = [];
    for (let round = 0; round < ROUNDS; round++) seen.push(await watchBurst(subscribers, { count: CALLS }));
    const cost = median(seen.map(({ cpuNs }) => cpuNs / CALLS));
    costs.set(subscribers, cost);
    const alone = costs.get(0) as number;
    rows.push([
      subscribers,
      rounded(median(seen.map(({ callsPerSecond }) => callsPerSecond))),
      rounded(median(seen.map(({ delivered, seconds }) => delivered / seconds))),
      rounded((100 * median(seen.map(({ lost }) => lost))) / Math.max(1, CALLS * subscribers)),
      rounded(cost),
      subscribers === 0 ? null : rounded((cost - alone) / subscribers),
    ]);
  }
  const rates: Table['rows'] = [];
  for (const ratePerSecond of RATES) {
    const count = ratePerSecond * SECONDS;
    const { callsPerSecond, delivered, lost } = await watchBurst(1, { count, ratePerSecond });
    rates.push([ratePerSecond, rounded(callsPerSecond), delivered, lost]);
  }
  return [
    {
      id: 'stream',
      title: `Bursts of ${CALLS.toLocaleString('en-US')} calls as fast as they go, median of ${ROUNDS}`,
      columns: ['subscribers', 'calls a second', 'records a second', 'lost, %', 'CPU ns a call', 'ns a subscriber'],
      rows,
      notes: [],
    },
    {
      id: 'rates',
      title: `One subscriber during a burst of ${SECONDS} s at a rate`,
      columns: ['calls a second, asked', 'made', 'delivered', 'lost'],
      rows: rates,
      notes: [],
    },
  ];
}

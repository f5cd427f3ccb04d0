// Many calls in one request: the rate of a burst beside the loop in C, and how long POST /writes holds the event loop.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { MAX_WRITES } from '../src/protocol/limits.js';
import { buildOf, program, ROOT, start, withFolder, withProcesses } from './processes.js';
import { median, rounded, spreadNotes, type Table } from './table.js';

const ROUNDS = 15;
const CALLS = 300_000;
const MSG = 'Hello world from interrupt!\n';

export async function post(port: string, route: string, body: object): Promise<Response> {
  const response = await fetch(`http://127.0.0.1:${port}${route}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`POST ${route} was answered with ${response.status}: ${await response.text()}`);
  return response;
}

export async function benchBursts(): Promise<Table[]> {
  return withFolder((folder) =>
    withProcesses(async (open) => {
      const floor = path.join(folder, 'floor');
      execFileSync('cc', ['-O2', '-o', floor, program('floor.c')]);
      const [loop] = await start(floor, []);
      const [service, port] = await start(process.execPath, [program('service.mjs'), buildOf(ROOT)]);
      open.push(loop, service);

      const rates: [name: string, perSecond: number[]][] = [
        ['C, write(2) in a loop', []],
        ['POST /bursts at raw', []],
      ];
      const [inC, inBursts] = rates.map(([, perSecond]) => perSecond) as [number[], number[]];
      for (let round = -1; round < ROUNDS; round++) {
        const ns = Number(await loop.ask(`${MSG.length} ${CALLS}`));
        const answer = await post(port, '/bursts', { level: 'raw', target: 'nil', msg: MSG, count: CALLS });
        const { callsPerSecond } = (await answer.json()) as { callsPerSecond: number };
        if (round < 0) continue;
        inC.push(1e9 / ns);
        inBursts.push(callsPerSecond);
      }

      const writes = Array.from({ length: MAX_WRITES }, () => ({ level: 'raw', target: 'nil', msg: MSG }));
      const held: number[] = [];
      for (let round = -1; round < ROUNDS; round++) {
        await service.ask('delay');
        await (await post(port, '/writes', { writes })).arrayBuffer();
        const ms = Number(await service.ask('delay'));
        if (round >= 0) held.push(ms);
      }
      return [
        {
          id: 'bursts',
          title: `Calls of 28 bytes a second, ${ROUNDS} rounds of ${CALLS.toLocaleString('en-US')}`,
          columns: ['', 'calls a second', '÷ C'],
          rows: rates.map(([name, perSecond]) => [
            name,
            rounded(median(perSecond)),
            rounded(median(perSecond.map((rate, round) => rate / (inC[round] as number)))),
          ]),
          notes: spreadNotes(rates),
        },
        {
          id: 'writes',
          title: `The longest time that one POST /writes of ${MAX_WRITES.toLocaleString('en-US')} holds the event loop`,
          columns: ['', 'median, ms', 'most, ms'],
          rows: [['POST /writes', rounded(median(held)), rounded(Math.max(...held))]],
          notes: spreadNotes([['POST /writes', held]]),
        },
      ];
    }),
  );
}

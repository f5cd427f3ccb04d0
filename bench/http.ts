// The CPU time of one POST /write at a fixed rate, beside a bare Fastify route and servers that only make the call.
//
// The rate is below full load: at full load a slower service lets the client sleep, and then pays for waking it. Every
// round measures all servers one after the other, so that ratios compare figures of the same minute. h2load (Debian:
// nghttp2-client) makes the load.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildOf, cpuTime, type Process, peer, program, ROOT, start, withFolder, withProcesses } from './processes.js';
import { median, rounded, spreadNotes, type Table } from './table.js';

const CLIENTS = 32;
const RATE_PER_CLIENT = 400;
const WARM_UP_SECONDS = 2;

export type HttpOptions = { rounds: number; seconds: number; against: string[] };

/** Sends requests for `seconds`. @returns the number of 2xx answers */
function load(port: string, seconds: number, body: string): number {
  const args = ['--h1', '-t', '1', '-c', `${CLIENTS}`, '--rps', `${RATE_PER_CLIENT}`, '-D', `${seconds}`, '-d', body];
  const { stdout, error } = spawnSync(
    'h2load',
    [...args, '-H', 'content-type: application/json', `http://127.0.0.1:${port}/write`],
    { encoding: 'utf8' },
  );
  if (error) throw new Error(`h2load cannot be started (apt-get install nghttp2-client): ${error.message}`);
  const [, answered = '0'] = /status codes: (\d+) 2xx/.exec(stdout) ?? [];
  const [, others = ''] = /status codes: \d+ 2xx, (.*)/.exec(stdout) ?? [];
  if (answered === '0' || /[1-9]\d* [345]xx/.test(others)) throw new Error(`not every answer was a 2xx:\n${stdout}`);
  return Number(answered);
}

export async function benchHttp({ rounds, seconds, against }: HttpOptions): Promise<Table[]> {
  const service = (folder: string): string[] => [process.execPath, program('service.mjs'), buildOf(folder)];
  const WATCHED = 'syswire, one subscriber';
  const programs: [name: string, command: string[]][] = [
    ['Fastify, no call', [process.execPath, program('bare.mjs')]],
    ['syswire', service(ROOT)],
    [WATCHED, service(ROOT)],
    ...against.map((folder): [string, string[]] => [folder, service(folder)]),
    ['node:http, only the call', [process.execPath, program('node-http.mjs')]],
    ['Bun.serve, only the call', [peer('bun'), program('bun-http.mjs')]],
    ['Deno.serve, only the call', [peer('deno'), 'run', '--allow-all', program('deno-http.mjs')]],
  ];
  return withFolder((folder) =>
    withProcesses(async (open) => {
      const body = path.join(folder, 'body.json');
      writeFileSync(body, JSON.stringify({ level: 'raw', target: 'nil', msg: 'Hello world from interrupt!\n' }));
      const servers: { name: string; process: Process; port: string; costs: number[] }[] = [];
      for (const [name, [file = '', ...args]] of programs) {
        const [process, port] = await start(file, args);
        open.push(process);
        servers.push({ name, process, port, costs: [] });
      }
      const watched = servers.find(({ name }) => name === WATCHED) as (typeof servers)[number];
      const url = `ws://127.0.0.1:${watched.port}/events`;
      const [subscriber] = await start(process.execPath, [program('subscriber.mjs'), url, '1']);
      open.unshift(subscriber);
      let written = 0;
      for (let round = 0; round < rounds; round++) {
        // Each round begins with another server, so that no server always has the same predecessor.
        for (const [index] of servers.entries()) {
          const { name, process, port, costs } = servers[(index + round) % servers.length] as (typeof servers)[number];
          // V8 drops compiled code of a process that idles: let it compile again first.
          const warmUp = load(port, WARM_UP_SECONDS, body);
          const before = cpuTime(process.pid);
          const answered = load(port, seconds, body);
          costs.push((cpuTime(process.pid) - before) / answered / 1000);
          if (name === WATCHED) written += warmUp + answered;
        }
      }
      const [, lost = ''] = (await subscriber.ask(`${written}`)).split(' ');
      const [bare] = servers as [(typeof servers)[number]];
      return [
        {
          id: 'http',
          title: `CPU time of one POST /write at ${CLIENTS * RATE_PER_CLIENT} requests a second, ${rounds} rounds of ${seconds} s`,
          columns: ['', 'µs', 'bare ÷ this'],
          rows: servers.map(({ name, costs }) => [
            name,
            rounded(median(costs)),
            rounded(median(costs.map((cost, round) => (bare.costs[round] as number) / cost))),
          ]),
          notes: [
            `the subscriber missed ${lost} of ${written} records`,
            ...spreadNotes(servers.map(({ name, costs }) => [name, costs])),
          ],
        },
      ];
    }),
  );
}

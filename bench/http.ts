// Measures the service's CPU time per POST /write at a fixed rate, and that of a bare Fastify route.
//
// The rate is below full load: at full load a slower service lets the client sleep, and then pays for waking it. Every
// round measures all servers one after the other, so that ratios compare figures of the same minute.
//
//   npm run bench:http -- [--rounds N] [--seconds N] [--against DIR]…
//
// --against also measures the build of another checkout, so that one run compares before and after. h2load (Debian:
// nghttp2-client) makes the load.
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const CLIENTS = 32;
const RATE_PER_CLIENT = 400;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    seconds: { type: 'string', default: '4' },
    against: { type: 'string', multiple: true, default: [] },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

const here = fileURLToPath(new URL('.', import.meta.url));
// The package's main file, whatever the name that a checkout gives it.
const buildOf = (folder: string): string => createRequire(path.resolve(folder, 'package.json')).resolve('syswire');
const programs: [name: string, file: string, args: string[]][] = [
  ['bare', path.join(here, 'bare.mjs'), []],
  ['syswire', path.join(here, 'service.mjs'), [buildOf(path.join(here, '..'))]],
  ...values.against.map((folder): [string, string, string[]] => [
    folder,
    path.join(here, 'service.mjs'),
    [buildOf(folder)],
  ]),
];

type Server = { name: string; child: ChildProcess; port: number; costs: number[] };

async function start(name: string, file: string, args: string[]): Promise<Server> {
  const child = fork(file, args, { execArgv: [] });
  const [{ port }] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => {
      throw new Error(`${name} did not start: is ${args[0] ?? file} built?`);
    }),
  ])) as [{ port: number }];
  return { name, child, port, costs: [] };
}

/** Return the CPU time of all threads of a process, in ns. https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat */
function cpuTime(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, tid) => {
    return sum + Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'latin1').split(' ', 1)[0]);
  }, 0);
}

const folder = mkdtempSync(path.join(tmpdir(), 'syswire-bench-'));
const body = path.join(folder, 'body.json');
writeFileSync(body, JSON.stringify({ level: 'raw', target: 'nil', msg: 'Hello world from interrupt!\n' }));

/** Send requests for `time` seconds. @returns the number of 2xx answers */
function load(port: number, time: number): number {
  const args = ['--h1', '-t', '1', '-c', `${CLIENTS}`, '--rps', `${RATE_PER_CLIENT}`, '-D', `${time}`, '-d', body];
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

const median = (sorted: readonly number[]): number => sorted[sorted.length >> 1] as number;
const us = (value: number): string => value.toFixed(2).padStart(7);

const servers: Server[] = [];
try {
  for (const program of programs) servers.push(await start(...program));
  for (const { port } of servers) load(port, 2);
  for (let round = 0; round < rounds; round++) {
    // Each round begins with another server, so that no server always has the same predecessor.
    for (const [index] of servers.entries()) {
      const server = servers[(index + round) % servers.length] as Server;
      const before = cpuTime(server.child.pid as number);
      const answered = load(server.port, seconds);
      server.costs.push((cpuTime(server.child.pid as number) - before) / answered / 1000);
    }
  }
  const [bare] = servers as [Server];
  const width = Math.max(...servers.map(({ name }) => name.length));
  console.log(`µs of CPU time a request at ${CLIENTS * RATE_PER_CLIENT} requests/s, ${rounds} rounds of ${seconds} s`);
  console.log(`${''.padEnd(width)}   median     min     max   bare ÷ this (median of rounds)`);
  for (const { name, costs } of servers) {
    const sorted = [...costs].sort((a, b) => a - b);
    const ratios = costs.map((cost, round) => (bare.costs[round] as number) / cost).sort((a, b) => a - b);
    const row = [us(median(sorted)), us(sorted[0] as number), us(sorted.at(-1) as number)];
    console.log(`${name.padEnd(width)}  ${row.join(' ')}   ${median(ratios).toFixed(2)}`);
  }
} finally {
  for (const { child } of servers) child.disconnect();
  rmSync(folder, { recursive: true });
}

// The start: the time from `node` to listening, the memory, and the size of an installation.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { post } from './bursts.js';
import { buildOf, program, ROOT, start, withFolder, withProcesses } from './processes.js';
import { median, rounded, spreadNotes, type Table } from './table.js';

const ROUNDS = 15;
const MIB = 2 ** 20;
const CALLS = 1_000_000;

const MAIN = path.join(ROOT, 'dist/cli/main.js');

/** Starts a program until it prints a line that `isReady`, and ends it. @returns the ms from its start to that line */
async function timeStart(args: string[], isReady: (text: string) => boolean): Promise<number> {
  const begin = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let text = '';
  let ms = Number.NaN;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (!Number.isNaN(ms) || !isReady(text)) return;
      ms = performance.now() - begin;
      child.kill('SIGKILL');
    });
  }
  await once(child, 'close');
  if (Number.isNaN(ms)) throw new Error(`${args.join(' ')} was not ready: ${text}`);
  return ms;
}

function sizeOf(folder: string): { bytes: number; files: number } {
  const total = { bytes: 0, files: 0 };
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const entry = lstatSync(path.join(folder, name));
    if (!entry.isFile()) continue;
    total.bytes += entry.size;
    total.files += 1;
  }
  return total;
}

/** Installs the package as a user does. @returns its size, and the number of packages */
function install(folder: string): { bytes: number; files: number; packages: number } {
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: ROOT,
      encoding: 'utf8',
    }),
  ) as [{ filename: string }];
  writeFileSync(path.join(folder, 'package.json'), '{}');
  const args = ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', path.join(folder, filename)];
  execFileSync('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  const { packages } = JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8')) as { packages: object };
  // The first entry is the folder itself.
  return { ...sizeOf(path.join(folder, 'node_modules')), packages: Object.keys(packages).length - 1 };
}

export async function benchStart(): Promise<Table[]> {
  const bare = [program('bare.mjs')];
  const serve = [MAIN, 'serve', '--port', '0'];
  const times: [name: string, ms: number[]][] = [
    ['Fastify, one route', []],
    ['syswire serve', []],
  ];
  const [ofBare, ofServe] = times.map(([, ms]) => ms) as [number[], number[]];
  for (let round = -1; round < ROUNDS; round++) {
    const [bareMs, serveMs] = [
      await timeStart(bare, Boolean),
      await timeStart(serve, (text) => /listening/.test(text)),
    ];
    if (round < 0) continue;
    ofBare.push(bareMs);
    ofServe.push(serveMs);
  }
  const [idle, busy] = await withProcesses(async (open) => {
    const [service, port] = await start(process.execPath, [program('service.mjs'), buildOf(ROOT)]);
    open.push(service);
    const before = Number(await service.ask('memory'));
    await (await post(port, '/bursts', { level: 'raw', target: 'nil', msg: 'hello\n', count: CALLS })).arrayBuffer();
    return [before, Number(await service.ask('memory'))];
  });
  const { bytes, files, packages } = await withFolder(async (folder) => install(folder));
  return [
    {
      id: 'start',
      title: `From node to listening, ${ROUNDS} rounds`,
      columns: ['', 'ms', '× Fastify'],
      rows: times.map(([name, ms]) => [
        name,
        rounded(median(ms)),
        rounded(median(ms.map((each, round) => each / (ofBare[round] as number)))),
      ]),
      notes: spreadNotes(times),
    },
    {
      id: 'size',
      title: 'Memory and size',
      columns: ['', 'MiB', 'files', 'packages'],
      rows: [
        ['resident, idle', rounded(idle / MIB), null, null],
        [`resident, after ${CALLS.toLocaleString('en-US')} calls`, rounded(busy / MIB), null, null],
        ['installed, without development packages', rounded(bytes / MIB), files, packages],
      ],
      notes: [],
    },
  ];
}

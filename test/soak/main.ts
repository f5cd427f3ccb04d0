// npm run soak: many clients and faults against the real service. At the end every byte, every record and every answer
// is accounted for, and the service holds no more memory, descriptors and threads than at the beginning.
//   npm run soak -- --minutes 60 --seed 7
import { once, setMaxListeners } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { LevelId } from '../../src/protocol/names.js';
import { type Scope, startService, tempFolder } from '../support/service.js';
import { createChecks } from './checks.js';
import { createClient, type World } from './client.js';
import { createFaults, type Faults } from './faults.js';
import { createLedger, type Ledger } from './ledger.js';
import { KINDS, runClients } from './load.js';
import { descriptorsOf, type Held, openInspector, threadsOf } from './memory.js';
import { burstOf, createRandom, messageOf } from './messages.js';
import { openPlaces } from './places.js';
import { differenceOf, type Print } from './print.js';
import { stopService } from './stop.js';
import { SUBSCRIBERS } from './subscribers.js';

/** Small, so that the ring overtakes readers, and is full when memory is first measured. */
const HISTORY = 4096;
const MAX_SUBSCRIBERS = 12;
const WARM_UP_MS = 20_000;
/** The longest wait for the service to become quiet, in ms. */
const SETTLE_MS = 30_000;

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '2' }, seed: { type: 'string', default: `${Date.now() % 1e6}` } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes >= 0.5) || !Number.isSafeInteger(seed))
  throw new Error('--minutes is 0.5 or more, --seed a whole number');
console.log(`seed ${seed}, ${minutes} minutes`);

const checks = createChecks();
const { check } = checks;
const undo: (() => unknown)[] = [];
const scope: Scope = { after: (done) => undo.push(done as () => unknown) } as Scope;
const counts = new Map<string, number>();
const count = (what: string, times = 1): unknown => counts.set(what, (counts.get(what) ?? 0) + times);

/** Waits until a condition holds. @returns false if it did not within SETTLE_MS */
async function waitUntil(holds: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const end = Date.now() + SETTLE_MS; Date.now() < end; await sleep(100)) if (await holds()) return true;
  return false;
}

/** Waits until a value has not changed for two seconds, or for SETTLE_MS. @returns the value */
async function waitUntilSteady(value: () => number): Promise<number> {
  let last = value();
  let since = Date.now();
  await waitUntil(() => {
    if (value() !== last) since = Date.now();
    last = value();
    return Date.now() - since > 2000;
  });
  return last;
}

/** Lists the child processes of this process. */
const childrenOf = (parent: number): string[] =>
  readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && parentOf(pid) === `${parent}`);

function parentOf(pid: string): string | undefined {
  try {
    return /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  } catch {
    return undefined; // ended meanwhile
  }
}

type TargetRow = { name: string; expects: string | null; available: boolean };

async function soak(): Promise<void> {
  const folder = tempFolder(scope);
  // The service puts its temporary files here: none may be left at the end.
  const temporary = tempFolder(scope);
  const records = path.join(folder, 'records');
  const places = await openPlaces(scope, folder);
  const service = await startService(scope, {
    args: [
      ...Object.entries(places.paths).flatMap(([name, at]) => ['--target', `${name}=${at}`]),
      ...['--record', records, '--history', `${HISTORY}`, '--max-subscribers', `${MAX_SUBSCRIBERS}`],
    ],
    env: { TMPDIR: temporary },
    stdout: 'pipe',
    wrap: ([node, ...args]) => [node as string, '--inspect=127.0.0.1:0', ...args],
  });
  places.begin(service.child.stdout as Readable);
  const pid = service.child.pid as number;
  const inspector = await openInspector(service.log);

  const get = async (at: string): Promise<never> =>
    (await fetch(service.url + at, { headers: { connection: 'close' } })).json() as Promise<never>;
  const { run }: { run: string } = await get('/health');
  const { targets }: { targets: TargetRow[] } = await get('/targets');
  const { levels }: { levels: { id: LevelId; available: boolean }[] } = await get('/levels');
  const ledger = createLedger({ checks, file: records, pid, readable: [...places.arrived.keys()], targets });
  const faults = createFaults(pid, { ...places.paths, records }, folder);
  const world: World = {
    url: service.url,
    run,
    levels: levels.filter(({ available }) => available).map(({ id }) => id),
    faults: targets.filter(({ expects, available }) => expects && available).map(({ name }) => name),
    checks,
    ledger,
    count,
  };
  const random = createRandom(seed);
  const healthMs: number[] = [];

  const control = createClient(world, 'control', random, new AbortController().signal);
  /** Returns the number of the service's next record. `control.close()` makes the next request open a connection. */
  const next = async (): Promise<number> => JSON.parse((await control.ask('GET', '/health'))?.body ?? '').next;

  /** Runs clients, subscribers, faults and the accounting side by side for `ms`. */
  async function load(ms: number): Promise<void> {
    const [writing, watching, reading] = [new AbortController(), new AbortController(), new AbortController()];
    for (const { signal } of [writing, watching]) setMaxListeners(0, signal);
    const pulse = new Worker(new URL('pulse.mjs', import.meta.url), { workerData: service.url });
    await once(pulse, 'message');
    const measured = once(pulse, 'message');
    const striking = faults.run(writing.signal);
    const clients = runClients(world, KINDS, random.below(2 ** 30), writing.signal);
    const subscribers = runClients(world, SUBSCRIBERS, random.below(2 ** 30), watching.signal);
    const accounting = (async () => {
      for (; !reading.signal.aborted; await sleep(100)) {
        await ledger.read();
        const asked = performance.now();
        // On a new connection: when the service has accepted it, it has seen all earlier connections close.
        ledger.markSeen(await next(), asked);
        control.close();
      }
    })().catch((error: Error) => check('the records can be read', false, () => `${error.stack}`));
    await sleep(ms);
    writing.abort();
    await Promise.all([clients, striking]);
    places.hurry(true);
    watching.abort();
    await subscribers;
    pulse.postMessage('over');
    healthMs.push(...(await measured)[0]);
    reading.abort();
    await accounting;
  }

  /** Measures the service when all clients have left. Before that it fills the ring with the same records each time. */
  async function measureAtRest(): Promise<Held> {
    let last = await next();
    const isSilent = async (): Promise<boolean> => {
      await sleep(1000);
      const before = last;
      last = await next();
      return before === last;
    };
    check('when all clients have left no call is made', await waitUntil(isSilent));
    const message = { ...messageOf(createRandom(1), 'raw', 'null'), at: 0, length: 64, isText: true, witness: false };
    await control.send('bursts', [message], burstOf(message, HISTORY));
    const isRead = async (): Promise<boolean> => {
      await ledger.read();
      return ledger.next() === (await next());
    };
    check('the record file has every record', await waitUntil(isRead));
    const isDrained = (): boolean =>
      [...places.arrived].every(
        ([name, { total }]) => name === 'file' || total() === ledger.recorded.get(name)?.total(),
      );
    check('every byte that was written arrives', await waitUntil(isDrained));
    control.close();
    await waitUntilSteady(() => descriptorsOf(pid).length);
    const threads = await waitUntilSteady(() => threadsOf(pid));
    return { ...(await inspector.collect()), descriptors: descriptorsOf(pid), threads };
  }

  await load(WARM_UP_MS);
  const before = await measureAtRest();
  places.hurry(false);
  await load(minutes * 60_000 - WARM_UP_MS);
  const after = await measureAtRest();

  // Node does not exit while a debugger is connected.
  inspector.close();
  await stopService(world, service, seed);
  await places.finish();
  await ledger.read();
  ledger.close();
  for (const [name, arrived] of places.arrived) {
    const difference = differenceOf(arrived, ledger.recorded.get(name) as Print);
    check(
      'the bytes that arrived at a target are those of its records',
      difference === null,
      () => `${name}: ${difference}`,
    );
    count(`arrived at ${name}: bytes`, arrived.total());
  }
  check('no temporary file is left', readdirSync(temporary).length === 0, () => readdirSync(temporary).join(' '));
  count('records', ledger.next() - 1);
  count('records: witnessed', ledger.witnessed());
  const least = Math.min(10_000, 5000 * minutes);
  check('many writes are witnessed', ledger.witnessed() >= least, () => `${ledger.witnessed()}`);
  judgeHeld(before, after);
  judgeHealth(healthMs);
  judgeFaults(faults, ledger, targets);
}

const MiB = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

function judgeHeld(before: Held, after: Held): void {
  const describe = ({ heap, resident, descriptors, threads }: Held): string =>
    `heap ${MiB(heap)}, resident ${MiB(resident)}, ${descriptors.length} descriptors, ${threads} threads`;
  console.log(`after the warm-up: ${describe(before)}\nat the end:        ${describe(after)}`);
  check('the heap grows by less than 10 %', after.heap < before.heap * 1.1);
  // The limit is wide because the allocator keeps memory. This is to find leaks outside the heap, in the addon.
  check('resident memory grows by less than 50 %', after.resident < before.resident * 1.5);
  check('the service has as many descriptors as before', after.descriptors.length === before.descriptors.length, () =>
    after.descriptors.filter((one) => !before.descriptors.includes(one)).join(', '),
  );
  check('the service has as many threads as before', after.threads === before.threads);
}

function judgeHealth(times: number[]): void {
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.floor((times.length - 1) * part)] as number;
  const [p50, p99, most] = [at(0.5), at(0.99), at(1)];
  console.log(
    `GET /health, ${times.length} times: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, at most ${most.toFixed(0)} ms`,
  );
  check(
    'GET /health never takes 10 s, and 99 of 100 take less than 1 s',
    most < 10_000 && p99 < 1000,
    () => `${p99} ms, ${most} ms`,
  );
}

/** Compares injected errors with records. std hides an error when it tries again, so there may be fewer records. */
function judgeFaults({ injected, problem }: Faults, { errors }: Ledger, targets: TargetRow[]): void {
  const reason = problem();
  if (reason !== null) {
    console.log(`no faults were injected: ${reason}`);
    check('faults can be injected, or this is not CI', process.env.CI !== 'true', () => reason);
  }
  for (const code of ['EINTR', 'ENOSPC', 'EIO']) {
    let recorded = 0;
    for (const { name, expects } of targets) if (expects === null) recorded += errors.get(`${name} ${code}`) ?? 0;
    const times = injected.get(code) ?? 0;
    count(`injected ${code}`, times);
    count(`injected ${code}: records`, recorded);
    check(
      'injected errors are recorded, and no others',
      recorded <= times && (times < 20 || recorded > 0),
      () => `${code}: ${times} injected, ${recorded} recorded`,
    );
  }
}

const others = new Set(childrenOf(process.pid));
const problem = await soak().then(
  () => null,
  (error: Error) => error,
);
check('the soak comes to its end', problem === null, () => `${problem?.stack}`);
for (const done of undo.reverse()) await done();
const left = (): string[] => childrenOf(process.pid).filter((pid) => !others.has(pid));
check('no process is left', await waitUntil(() => left().length === 0), () => left().join(' '));
for (const [what, times] of [...counts].sort(([a], [b]) => a.localeCompare(b)))
  console.log(`${`${times}`.padStart(13)}  ${what}`);
process.exitCode = checks.print() > 0 ? 1 : 0;

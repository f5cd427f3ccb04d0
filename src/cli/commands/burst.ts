// syswire burst LEVEL MSG: asks a running service for many calls, and shows how long they took.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BurstResult } from '../../protocol/calls.js';
import { duration, number } from '../../protocol/format.js';
import type { Health } from '../../protocol/service.js';
import { CLIENT_FLAGS, type Client, createClient, encodeMessage, withoutWitness } from '../client.js';
import { command, EXITS, type Terminal } from '../command.js';
import { hintAt, LEVEL_AND_MESSAGE, levelAndMessage, readMessage, toNumber } from '../flags.js';
import { burstLines, WITNESS_FLAG } from '../witnessed.js';

const DEFAULT_COUNT = 100_000;

const PROGRESS_MS = 100;
const BAR = 30;

/** Draw a progress bar until `signal` aborts, then remove it. */
async function showProgress(client: Client, count: number, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const next = async (): Promise<number> => (await client.get<Health>('health')).next;
  try {
    const first = await next();
    for (;;) {
      await sleep(PROGRESS_MS, undefined, { signal });
      // This counts the calls of other clients too, which is good enough for a bar.
      const part = Math.min(1, ((await next()) - first) / count);
      const bar = '█'.repeat(Math.round(part * BAR)).padEnd(BAR, '░');
      terminal.write(`\r${bar} ${Math.floor(part * 100)} % of ${number(count)}`);
    }
  } catch {
    // The burst is over, or the service failed: its answer to the burst says which.
  }
  terminal.write('\r\x1b[K');
}

function describe(asked: number, { level, target, errors, durationNs, ...result }: BurstResult): string {
  const cut = result.count < asked ? ` of ${number(asked)} asked for` : '';
  const names = Object.keys(durationNs) as (keyof typeof durationNs)[];
  const cells = names.map((name) => duration(durationNs[name]));
  const width = Math.max(...cells.map((cell) => cell.length));
  const row = (texts: string[]): string => texts.map((cell) => cell.padStart(width)).join('  ');
  const refusals = Object.entries(errors).map(([code, times]) => `${code} ${number(times)}`);
  return [
    `${number(result.count)} calls${cut} at ${level} to ${target}: ${number(result.callsPerSecond)} a second, ${number(result.written)} bytes written`,
    row(names),
    row(cells),
    ...(refusals.length > 0 ? [`refused: ${refusals.join(', ')}`] : []),
  ].join('\n');
}

export const burst = command({
  summary: 'ask a running service for many calls, and show how long they took',
  arguments: LEVEL_AND_MESSAGE,
  flags: {
    count: { value: 'N', unit: 'calls', field: 'count', help: `the number of calls (${number(DEFAULT_COUNT)})` },
    rate: {
      value: 'N',
      unit: 'calls a second',
      field: 'ratePerSecond',
      help: 'calls per second; without it, as fast as possible',
    },
    target: {
      value: 'NAME',
      help: 'the target to write to (null, which keeps nothing); syswire help targets says which there are',
      completes: 'target',
      field: 'target',
    },
    witness: WITNESS_FLAG,
    json: { help: 'print the answer of the service as JSON' },
    ...CLIENT_FLAGS,
  },
  details: `Trust p50 for what a call costs. The calls a second are fewer than the durations give: they include what the
service does between two calls (each is recorded, and other requests have their turns), and a busy machine's pauses.
With --witness the durations include what the witness takes: a signal for each system call, some microseconds.`,
  examples: [
    ['syswire burst raw x', `shows what ${number(DEFAULT_COUNT)} calls of the instruction cost`],
    ['syswire burst std x --target full --count 1000 --rate 100', 'makes 100 calls a second, which the kernel refuses'],
    ['syswire burst uring x --witness --count 1000', 'counts the system calls of 1,000 calls, each kind in a line'],
  ],
  exits: {
    0: 'the operating system accepted every call',
    1: 'it refused some, some verdicts of the witness do not agree, or the output could not be written',
    2: EXITS[2] as string,
    3: 'the service did not answer, or made fewer calls than requested',
  },
  async run({ env, print, note, terminal }, values, words) {
    const [level, msg] = levelAndMessage(words);
    const count = toNumber(values.count) ?? DEFAULT_COUNT;
    const ratePerSecond = toNumber(values.rate);
    const client = createClient(values, env);
    const hint = hintAt(msg);
    if (hint !== null) note(hint);
    const { target, witness } = values;
    const body = { level, target, count, ratePerSecond, witness, ...encodeMessage(readMessage(msg)) };

    const over = new AbortController();
    const drawn = terminal && showProgress(client, count, terminal, over.signal);
    let result: BurstResult;
    try {
      result = await client.post<BurstResult>('bursts', body, { 'x-request-id': `burst-${randomUUID().slice(0, 8)}` });
    } finally {
      over.abort();
      await drawn;
    }
    if (witness && result.verdict === undefined) throw withoutWitness(client.origin);
    print(values.json ? JSON.stringify(result) : describe(count, result));
    if (witness && !values.json) for (const line of burstLines(result)) print(line);
    if (result.count < count) return 3;
    const disagreed = witness ? (result.disagreed ?? 0) : 0;
    return Object.keys(result.errors).length > 0 || disagreed > 0 ? 1 : 0;
  },
});

// syswire burst LEVEL MSG: asks a running service for many calls, and shows how long they took.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BurstResult } from '../../protocol/calls.js';
import { duration, number } from '../../protocol/format.js';
import { LEVEL_IDS } from '../../protocol/names.js';
import type { Health } from '../../protocol/service.js';
import { CLIENT_FLAGS, CLIENT_HELP, type Client, createClient, encodeMessage } from '../client.js';
import type { Command, Terminal } from '../command.js';
import { MESSAGE_AT, parseFlags, parseLevelAndMessage, parseNumber, readMessage } from '../flags.js';

const DEFAULT_COUNT = 100_000;

const HELP = `syswire burst LEVEL MSG: ask a running service for many calls, and show how long they took

  LEVEL            ${LEVEL_IDS.join(', ')}
  MSG              the text that each call writes, unchanged; - reads it from stdin
  --count N        the number of calls (${DEFAULT_COUNT})
  --rate N         calls per second; without it, as fast as possible
  --target NAME    the target to write to (stdout); GET /targets lists the names
  --json           print the answer of the service as JSON
${CLIENT_HELP}

exit: 0 the operating system accepted every call, 1 it refused some, or the output could not be written,
      2 wrong usage, 3 the service did not answer, or made fewer calls than requested`;

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

export const burst: Command = async ({ args, env, print, terminal }) => {
  const { values, positionals } = parseFlags(
    {
      args,
      options: {
        count: { type: 'string' },
        rate: { type: 'string' },
        ...CLIENT_FLAGS,
      },
      allowPositionals: true,
    },
    MESSAGE_AT,
  );
  if (values.help) {
    print(HELP);
    return 0;
  }
  const [level, msg] = parseLevelAndMessage('burst', LEVEL_IDS, positionals);
  const count = parseNumber('count', values.count) ?? DEFAULT_COUNT;
  const ratePerSecond = parseNumber('rate', values.rate);
  const client = createClient(values, env);
  const body = { level, target: values.target, count, ratePerSecond, ...encodeMessage(readMessage(msg)) };

  const over = new AbortController();
  const drawn = terminal && showProgress(client, count, terminal, over.signal);
  let result: BurstResult;
  try {
    result = await client.post<BurstResult>('bursts', body, { 'x-request-id': `burst-${randomUUID().slice(0, 8)}` });
  } finally {
    over.abort();
    await drawn;
  }
  print(values.json ? JSON.stringify(result) : describe(count, result));
  if (result.count < count) return 3;
  return Object.keys(result.errors).length > 0 ? 1 : 0;
};

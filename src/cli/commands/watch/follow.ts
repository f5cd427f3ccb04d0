// Follows the stream as one sequence of lines, across lost connections and restarts of the service.
import { on, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallRecord, End, Gap, Hello, StreamError } from '../../../protocol/records.js';
import { type Client, notSyswire } from '../../client.js';
import { NoAnswer, Refused, UsageError } from '../../command.js';

export type Line = { text: string; value: Hello | CallRecord | Gap | End };

export type Follow = {
  client: Client;
  /** The first record to replay; undefined starts with the next new record. */
  since: string | undefined;
  /** Filters, in the form of the stream's query. */
  filters: Record<string, string>;
  /** Called when the connection is lost or open again, with a line for people. */
  onNote: (line: string) => void;
  signal: AbortSignal;
};

/** The time before the first retry, which doubles up to the longest one, in ms. */
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;

function parse(text: string): Line['value'] | StreamError | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The fields of a record and of a gap that are shown, with their types. By hand: zod takes longer than all else. */
const SHOWN = {
  call: {
    ...{ seq: 'number', time: 'number', requested: 'number', written: 'number', durationNs: 'number' },
    ...{ level: 'string', target: 'string', preview: 'string' },
  },
  gap: { from: 'number', to: 'number' },
};

/** Returns true for a line of the stream: --url may lead to any program. */
function isLine(value: Line['value'] | StreamError | null): value is Line['value'] | StreamError {
  const type = value?.type;
  if (type !== 'call' && type !== 'gap') return type === 'hello' || type === 'end' || type === 'error';
  const fields = value as unknown as Record<string, unknown>;
  const code: unknown = type === 'call' ? (fields.error as { code?: unknown } | null)?.code : undefined;
  const isError = code === undefined || typeof code === 'string';
  return isError && Object.entries(SHOWN[type]).every(([field, kind]) => typeof fields[field] === kind);
}

/** Ends a connection to a restarted service, whose records begin at 1 again. */
class OtherRun extends Error {}

/**
 * Yield the lines of one frame at a time until `signal` aborts. While the caller does not ask for the next frame, the
 * socket is not read (backpressure).
 *
 * @throws NoAnswer if the first connection fails, UsageError if the service refuses the query
 */
export async function* follow({ client, since, filters, onNote, signal }: Follow): AsyncGenerator<Line[]> {
  let next = since;
  let run: string | undefined;
  let wait = 0;

  /** Yield the lines of one connection, from record `next` on. */
  async function* connection(): AsyncGenerator<Line[]> {
    const query = new URLSearchParams({ ...filters, ...(next && { since: next }), ...(run && { run }) });
    const { socket, opened } = client.connect(`events?${query}`);
    const giveUp = (): void => socket.terminate();
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const frames = on(socket, 'message', { signal, close: ['close'], highWaterMark: 4, lowWaterMark: 1 });
      await opened;
      if (wait > 0) onNote(`connected to ${client.origin} again`);
      wait = 0;
      for await (const [data] of frames as AsyncIterable<[Buffer]>) {
        const lines: Line[] = [];
        for (const text of data.toString().split('\n')) {
          const value = parse(text);
          if (value === null || (run === undefined && value.type !== 'hello'))
            throw notSyswire(client.origin, 'its stream does not begin with hello');
          if (!isLine(value)) throw notSyswire(client.origin, 'a line of its stream is no record');
          if (value.type === 'error') throw new Refused([{ detail: value.detail }]);
          if (value.type === 'hello') {
            if (run !== undefined && value.run !== run) {
              onNote(`the service was restarted (run ${value.run}): its records begin at 1 again`);
              [run, next] = [value.run, '1'];
              throw new OtherRun();
            }
            run = value.run;
            next ??= `${value.next}`;
          } else if (value.type !== 'end') next = `${(value.type === 'gap' ? value.to : value.seq) + 1}`;
          lines.push({ text, value });
        }
        yield lines;
      }
    } finally {
      signal.removeEventListener('abort', giveUp);
      socket.terminate();
    }
  }

  while (!signal.aborted) {
    try {
      yield* connection();
      if (wait === 0) onNote(`lost the connection to ${client.origin}: trying again`);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof OtherRun) continue;
      if (error instanceof UsageError || run === undefined) throw error;
      if (!(error instanceof NoAnswer)) onNote(`${(error as Error).message}: trying again`);
    }
    wait = Math.min(wait * 2 || FIRST_WAIT_MS, LONGEST_WAIT_MS);
    await sleep(wait, undefined, { signal }).catch(() => {});
  }
}

/** Wait until a stream can take more output, or `signal` aborts. */
export async function drained(stream: NodeJS.WriteStream, signal: AbortSignal): Promise<void> {
  if (stream.writableNeedDrain) await once(stream, 'drain', { signal }).catch(() => {});
}

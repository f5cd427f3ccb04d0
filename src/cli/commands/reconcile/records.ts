// The service's records, from a file or from the service itself.
import type { Events, Gap } from '../../../protocol/records.js';
import { createClient } from '../../client.js';
import { UsageError } from '../../command.js';
import { readFileLines } from './lines.js';
import { parseBriefly, parseRecordLine, type RecordedCall } from './record-line.js';
import { createRunTracker, type Run, type RunTracker } from './runs.js';
import { copyLines, isRegularFile, writeTemporary } from './temporary-file.js';

/** The records of one request, the most that GET /events answers with. */
const PAGE_SIZE = 10_000;

export type Records = {
  /** The runs of the service that the records are of, in their order. */
  runs: readonly Run[];
  /** Yields the records of all runs. */
  read: () => AsyncGenerator<RecordedCall[]>;
  close: () => void;
};

/** Yields the records of a file, batch by batch. @throws UsageError naming the line that is none */
async function* readRecords(
  file: string,
  name: string,
  runs: RunTracker,
  parse = parseRecordLine,
): AsyncGenerator<RecordedCall[]> {
  let number = 0;
  for await (const lines of readFileLines(file)) {
    const batch: RecordedCall[] = [];
    for (const line of lines) {
      number += 1;
      if (line.trim() === '') continue;
      const value = parse(line);
      if (value === 'ignored') continue;
      if (value === 'bad')
        throw new UsageError(
          `${name}:${number} is not a record: give a file with one record per line, as --record FILE or syswire watch --json writes it`,
        );
      const call = runs.take(value);
      if (call) batch.push(call);
    }
    yield batch;
  }
}

/** Yields every record that a service still has, as lines; a gap for those that its ring has lost. */
async function* fetchLines(address: string, token: string | undefined): AsyncGenerator<string> {
  const client = createClient({ url: address, ...(token !== undefined && { token }) }, {});
  // A service ends a page early where its ring overtakes it. Only a second short page shows that there is no more.
  for (let since = 1, shortPages = 0; shortPages < 2; ) {
    const page = await client.get<Partial<Events> | null>(`events?since=${since}&limit=${PAGE_SIZE}`);
    const { events, next = 0, oldest = 0 } = page ?? {};
    // A page that does not go on would be asked for without end.
    if (!Array.isArray(events) || (events.length > 0 && !(next > since)))
      throw new UsageError(`${client.origin} is no syswire service: it has no events`);
    const gap: Gap = { type: 'gap', from: since, to: oldest - 1 };
    if (oldest > since) yield `${JSON.stringify(gap)}\n`;
    yield events.map((event) => `${JSON.stringify(event)}\n`).join('');
    if (events.length === 0) return;
    if (events.length < PAGE_SIZE) shortPages += 1;
    since = next;
  }
}

/**
 * Opens records. They are read twice, so those of a service or a pipe are put into a temporary file first.
 *
 * @param name a file of records, or the address of a running service
 * @throws UsageError if they are unusable, NoAnswer if the service does not answer
 */
export async function openRecords(name: string, token: string | undefined): Promise<Records> {
  const isAddress = /^https?:\/\//.test(name);
  let file = name;
  let close = (): void => {};
  try {
    if (isAddress || !isRegularFile(name)) {
      const lines = isAddress ? fetchLines(name.endsWith('/') ? name : `${name}/`, token) : copyLines(name);
      ({ file, close } = await writeTemporary(lines));
    }
    const tracker = createRunTracker();
    for await (const _ of readRecords(file, name, tracker, parseBriefly));
    if (tracker.runs.length === 0)
      throw new UsageError(`${name} has no records: write some while the service runs with --record FILE`);
    return { runs: tracker.runs, read: () => readRecords(file, name, createRunTracker()), close };
  } catch (error) {
    close();
    throw error;
  }
}

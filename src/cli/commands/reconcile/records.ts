// The service's records, from a file or from the service itself.
import type { Events, Gap } from '../../../protocol/records.js';
import { createClient } from '../../client.js';
import { UsageError } from '../../command.js';
import { readFileLines } from './lines.js';
import { parseRecordLine, type RecordedCall } from './record-line.js';
import { copyLines, isRegularFile, writeTemporary } from './temporary-file.js';
import { hasEnter } from './uring.js';

/** The records of one request, the most that GET /events answers with. */
const PAGE_SIZE = 10_000;

/** The facts about all records that the comparison needs before it reads the first. */
export type Overview = {
  /** The descriptors of each process. */
  fds: Map<number, Set<number>>;
  /** The descriptors of io_uring that a witness saw, of each process. */
  rings: Map<number, Set<number>>;
  count: number;
  /** The start of the first call and the end of the last, in milliseconds since 1970. */
  first: number;
  last: number;
  gaps: Gap[];
};

export type Records = {
  overview: Overview;
  read: () => AsyncGenerator<RecordedCall[]>;
  close: () => void;
};

const isGap = (value: RecordedCall | Gap): value is Gap => 'type' in value;

/** Yields the records and gaps of a file, batch by batch. @throws UsageError naming the line that is neither */
async function* readRecords(file: string, name: string): AsyncGenerator<(RecordedCall | Gap)[]> {
  let number = 0;
  for await (const lines of readFileLines(file)) {
    const batch: (RecordedCall | Gap)[] = [];
    for (const line of lines) {
      number += 1;
      if (line.trim() === '') continue;
      const value = parseRecordLine(line);
      if (value === 'ignored') continue;
      if (value === 'bad')
        throw new UsageError(
          `${name}:${number} is not a record: give a file with one record per line, as --record FILE or syswire watch --json writes it`,
        );
      batch.push(value);
    }
    yield batch;
  }
}

async function* readCalls(file: string, name: string): AsyncGenerator<RecordedCall[]> {
  for await (const batch of readRecords(file, name))
    yield batch.filter((value): value is RecordedCall => !isGap(value));
}

function addTo(fds: Map<number, Set<number>>, pid: number, fd: number): void {
  const known = fds.get(pid);
  if (known) known.add(fd);
  else fds.set(pid, new Set([fd]));
}

async function summarise(batches: AsyncIterable<(RecordedCall | Gap)[]>): Promise<Overview> {
  const overview: Overview = {
    fds: new Map(),
    rings: new Map(),
    count: 0,
    first: Infinity,
    last: -Infinity,
    gaps: [],
  };
  for await (const batch of batches) {
    for (const value of batch) {
      if (isGap(value)) {
        overview.gaps.push(value);
        continue;
      }
      const { pid, fd, time, end } = value;
      addTo(overview.fds, pid, fd);
      if (hasEnter(value)) for (const enter of value.witness?.calls ?? []) addTo(overview.rings, pid, enter.fd);
      overview.count += 1;
      overview.first = Math.min(overview.first, time);
      overview.last = Math.max(overview.last, end);
    }
  }
  return overview;
}

/** Yields every record that a service still has, as lines; a gap for those that its ring has lost. */
async function* fetchLines(address: string, token: string | undefined): AsyncGenerator<string> {
  const client = createClient({ url: address, ...(token !== undefined && { token }) }, {});
  // A service ends a page early where its ring overtakes it. Only a second short page shows that there is no more.
  for (let since = 1, shortPages = 0; shortPages < 2; ) {
    const { events, next, oldest } = await client.get<Events>(`events?since=${since}&limit=${PAGE_SIZE}`);
    if (!Array.isArray(events)) throw new UsageError(`${client.origin} is no syswire service: it has no events`);
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
    const overview = await summarise(readRecords(file, name));
    if (overview.count === 0)
      throw new UsageError(`${name} has no records: write some while the service runs with --record FILE`);
    return { overview, read: () => readCalls(file, name), close };
  } catch (error) {
    close();
    throw error;
  }
}

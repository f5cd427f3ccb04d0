// The service's records, from a file or from the service itself.
import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Health } from '../../../protocol/service.js';
import { createClient } from '../../client.js';
import { UsageError } from '../../command.js';
import type { Recorded } from './explain.js';
import { readFileLines } from './lines.js';

const PAGE = 10_000;

/** What must be known of the records before the first is held against a trace. */
export type Overview = {
  /** The descriptors of each process. */
  fds: Map<number, Set<number>>;
  count: number;
  /** From when to when, in milliseconds since 1970. */
  first: number;
  last: number;
  /** Numbers of records that are gone, their ends included. */
  gaps: { from: number; to: number }[];
};

export type Records = {
  overview: Overview;
  read: () => AsyncGenerator<Recorded[]>;
  close: () => void;
};

type Page = { events: unknown[]; next: number; oldest: number };
type Gap = { from: number; to: number };

const numbers = ['seq', 'time', 'fd', 'requested', 'written', 'durationNs', 'pid'] as const;
const strings = ['level', 'preview'] as const;
type Line = Record<(typeof numbers)[number], number> & Record<(typeof strings)[number], string> & { error: unknown };

const BEGIN = '{"type":"call","seq":';

/** What a kill or a full disk cut short: a record that is gone; null where not even its number is whole. */
function cut(line: string): Gap | null | undefined {
  const [, begin, seq, comma] = /^(\{"type":"call","seq":)(\d*)(,)?/.exec(line) ?? [];
  if (begin === undefined) return BEGIN.startsWith(line) ? null : undefined;
  return comma === undefined ? null : { from: Number(seq), to: Number(seq) };
}

/** @returns null for a line that tells of no call; undefined for what is none of the stream's lines */
function parse(line: string): Recorded | Gap | null | undefined {
  let value: Partial<Line & Gap> & { type?: unknown };
  try {
    value = JSON.parse(line);
  } catch {
    return cut(line);
  }
  if (value?.type === 'gap' && typeof value.from === 'number' && typeof value.to === 'number')
    return { from: value.from, to: value.to };
  // The first line of `syswire watch --json`.
  if (value?.type === 'hello') return null;
  if (value?.type !== 'call') return undefined;
  if (numbers.some((key) => typeof value[key] !== 'number') || strings.some((key) => typeof value[key] !== 'string'))
    return undefined;
  const { seq, time, fd, requested, written, durationNs, pid, level, preview, error } = value as Line;
  const errno = error === null ? undefined : (error as { errno?: unknown } | undefined)?.errno;
  if (error !== null && typeof errno !== 'number') return undefined;
  return {
    seq,
    pid,
    fd,
    level,
    count: requested,
    result: typeof errno === 'number' ? -errno : written,
    time,
    end: time + durationNs / 1e6,
    text: preview,
  };
}

/** The values of a file of records, batch by batch. @throws UsageError naming the line that is none */
async function* readRecords(file: string, name: string): AsyncGenerator<(Recorded | Gap)[]> {
  let number = 0;
  for await (const lines of readFileLines(file)) {
    const batch: (Recorded | Gap)[] = [];
    for (const line of lines) {
      number += 1;
      if (line.trim() === '') continue;
      const value = parse(line);
      if (value === null) continue;
      if (!value)
        throw new UsageError(
          `${name}:${number} is not a record: a line each is needed, as --record FILE or syswire watch --json writes them`,
        );
      batch.push(value);
    }
    yield batch;
  }
}

async function overviewOf(batches: AsyncIterable<(Recorded | Gap)[]>): Promise<Overview> {
  const all: Overview = { fds: new Map(), count: 0, first: Infinity, last: -Infinity, gaps: [] };
  for await (const batch of batches) {
    for (const value of batch) {
      if ('from' in value) {
        all.gaps.push(value);
        continue;
      }
      const { pid, fd, time, end } = value;
      const fds = all.fds.get(pid);
      if (fds) fds.add(fd);
      else all.fds.set(pid, new Set([fd]));
      all.count += 1;
      all.first = Math.min(all.first, time);
      all.last = Math.max(all.last, end);
    }
  }
  return all;
}

/** Every record that a service still has, as lines; what its ring has lost as a gap. */
async function* pages(address: string, token: string | undefined): AsyncGenerator<string> {
  const client = createClient({ url: address, ...(token !== undefined && { token }) }, {});
  const { next: end } = await client.get<Health>('health');
  for (let since = 1; since < end; ) {
    const { events, next, oldest } = await client.get<Page>(`events?since=${since}&limit=${PAGE}`);
    if (!Array.isArray(events)) throw new UsageError(`${client.origin} is no syswire service: it has no events`);
    if (oldest > since) yield `${JSON.stringify({ type: 'gap', from: since, to: oldest - 1 })}\n`;
    yield events.map((event) => `${JSON.stringify(event)}\n`).join('');
    // A page may be shorter than asked for: a service ends one where its ring overtakes it.
    since = next;
  }
}

/**
 * Opens records, which are read twice: what cannot be is put into a temporary file first.
 *
 * @param name a file of them, or the address of a running service
 */
export async function openRecords(name: string, token: string | undefined): Promise<Records> {
  const isAddress = /^https?:\/\//.test(name);
  let file = name;
  let close = (): void => {};
  try {
    if (isAddress || !statSync(name, { throwIfNoEntry: false })?.isFile()) {
      const source = isAddress
        ? Readable.from(pages(name.endsWith('/') ? name : `${name}/`, token))
        : Readable.from(linesOf(name));
      const folder = mkdtempSync(path.join(tmpdir(), 'syswire-'));
      close = () => rmSync(folder, { recursive: true, force: true });
      file = path.join(folder, 'records');
      await pipeline(source, createWriteStream(file));
    }
    const overview = await overviewOf(readRecords(file, name));
    if (overview.count === 0) throw new UsageError(`${name} has no records`);
    return { overview, read: () => calls(file, name), close };
  } catch (error) {
    close();
    throw error;
  }
}

async function* linesOf(name: string): AsyncGenerator<string> {
  for await (const lines of readFileLines(name)) yield `${lines.join('\n')}\n`;
}

async function* calls(file: string, name: string): AsyncGenerator<Recorded[]> {
  for await (const batch of readRecords(file, name))
    yield batch.filter((value): value is Recorded => !('from' in value));
}

// The order of traced writes: of one file whose lines are not in the order of the calls, and of several files.
import type { TracedWrite } from './formats/format.js';

/** bpftrace may print so many lines in the wrong order: each CPU has its own buffer, and they are emptied in turn. */
const DISORDER = 8192;
/** The writes of a merged batch. */
const BATCH = 1024;

/** Sorts writes by time, if none is further from its place than DISORDER. */
export async function* sortByTime(batches: AsyncIterable<TracedWrite[]>): AsyncGenerator<TracedWrite[]> {
  const byTime = (a: TracedWrite, b: TracedWrite): number => (a.time ?? 0) - (b.time ?? 0);
  let held: TracedWrite[] = [];
  for await (const batch of batches) {
    for (const write of batch) held.push(write);
    if (held.length < 2 * DISORDER) continue;
    held.sort(byTime);
    yield held.slice(0, -DISORDER);
    held = held.slice(-DISORDER);
  }
  yield held.sort(byTime);
}

/** A file that is being merged: the writes at hand, and the place of the next one. */
type Head = { batches: AsyncGenerator<TracedWrite[]>; writes: TracedWrite[]; next: number };

/** Reads on until a write is at hand. @returns false at the end */
async function advance(head: Head): Promise<boolean> {
  while (head.next >= head.writes.length) {
    const { value, done } = await head.batches.next();
    if (done) return false;
    head.writes = value;
    head.next = 0;
  }
  return true;
}

/** A write without a time comes at once: files without times are read one after the other. */
const timeAt = ({ writes, next }: Head): number => writes[next]?.time ?? Number.NEGATIVE_INFINITY;

/** Merges files by time. The order within each file stays, also where its clock was set back. */
export async function* mergeByTime(files: AsyncGenerator<TracedWrite[]>[]): AsyncGenerator<TracedWrite[]> {
  let heads: Head[] = files.map((batches) => ({ batches, writes: [], next: 0 }));
  let merged: TracedWrite[] = [];
  for (;;) {
    const open: Head[] = [];
    for (const head of heads) if (await advance(head)) open.push(head);
    heads = open;
    if (heads.length === 0) break;
    // Until one of them has no write at hand, nothing is awaited.
    while (heads.every(({ writes, next }) => next < writes.length)) {
      const earliest = heads.reduce((least, head) => (timeAt(head) < timeAt(least) ? head : least));
      merged.push(earliest.writes[earliest.next] as TracedWrite);
      earliest.next += 1;
    }
    if (merged.length < BATCH) continue;
    yield merged;
    merged = [];
  }
  yield merged;
}

// Simulated traces: calls at any pace, a tracer whose clock is set now and then, lines cut, altered and added.
import { editTrace, makeCalls, PRINT, random, type Write } from './synthetic.js';

const FORMATS = ['strace', 'bpftrace', 'perf', 'ndjson'] as const;
/** The ways in which a clock is set, in ms: daylight saving time, half an hour, a day that begins again, a sleep. */
const SETTINGS = [7300, -7300, 3_600_000, -3_600_000, 1_800_000, -86_400_000, 250, -400, 12_345.678];
/** The gap between two calls, in ms. */
const PACES: ((next: () => number) => number)[] = [
  () => 100,
  (next) => 0.2 + next(),
  (next) => 5 + 200 * next(),
  (next) => (next() < 0.05 ? 30_000 : 0.5 + 3 * next()),
];
const MESSAGES: (((seq: number) => string) | undefined)[] = [
  undefined,
  (seq) => `message number ${seq}\n`,
  (seq) => `${'x'.repeat(1 + ((seq * 7) % 11))}\n`,
  () => 'hello',
];

const pick = <T>(list: readonly T[], next: () => number): T => list[Math.floor(next() * list.length)] as T;

/** Makes the trace and the records of a seed, with the counts that a comparison of them must come to. */
export function simulate(seed: number) {
  const next = random(seed);
  const format = pick(FORMATS, next);
  const message = pick(MESSAGES, next);
  const made = makeCalls(20 + Math.floor(next() * 60), next, message && { message });
  const pace = pick(PACES, next);
  let begun = made[0]?.record.time ?? 0;
  for (const { record, writes } of made) {
    begun += pace(next);
    const shift = begun - record.time;
    record.time = begun;
    for (const write of writes) write.time += shift;
  }
  const edited = editTrace(made, pick([0, 0.02, 0.06], next), next, ['deleted', 'altered', 'added']);
  const zone = pick([0, 0, 3_600_000, -19_800_000], next);
  // A clock that is set around a single line that is altered too leaves nothing by which to know the line.
  const settings: { at: number; by: number }[] = [];
  for (let left = Math.floor(next() * 4); left > 0; left--) {
    const at = 4 + Math.floor(next() * (edited.writes.length - 8));
    const by = pick(SETTINGS, next);
    if (settings.every((other) => Math.abs(other.at - at) >= 4)) settings.push({ at, by });
  }
  const writes = edited.writes.map((write, index): Write => {
    const set = settings.reduce((sum, { at, by }) => sum + (index >= at ? by : 0), zone);
    return { ...write, time: write.time + set };
  });
  const trace = writes.map((write) => `${PRINT[format](write)}\n`).join('');
  const does = `${format}, ${made.length} calls, zone ${zone}, clock set ${JSON.stringify(settings)}, edits of ${edited.seqs}`;
  return { made, trace, expected: edited.expected, does };
}

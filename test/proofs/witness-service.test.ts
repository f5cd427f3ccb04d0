// The witness of the service against strace, which watches the same process: the answers of POST /write and /bursts list
// the system calls that the kernel got.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { BurstResult, WriteResult } from '../../src/protocol/calls.js';
import { LEVEL_IDS } from '../../src/protocol/names.js';
import { levels, type SystemCall, witnessAvailability } from '../../src/syscalls/index.js';
import { openFifo, post, read, startService, tempFolder } from '../support/service.js';
import { likeStrace, linesOf, type Seen, windowsOf } from '../support/strace-windows.js';
import { need } from '../support/tools.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
const { reason } = witnessAvailability();

/** By target: the result of every write of five bytes. */
const TARGETS: Record<string, number> = { out: 5, pipe: 5, full: -28, closed: -9 };
const ROUNDS = 20;
const BURST = 200;

type Answered = WriteResult & { systemCalls: SystemCall[] };

/** The calls with which levels write. */
const MAIN_CALLS = new Set(['write', 'io_uring_enter']);

/** The window of the check whether there is a witness has one getppid. */
const isOfAWrite = (calls: Seen[]): boolean => calls[0]?.name !== 'getppid';

/** Counts calls by name and result. Addresses and offsets in a file differ from call to call, so they count as one. */
function countKinds(calls: readonly { name: string; result: number | null; times?: number }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { name, result, times = 1 } of calls) {
    const isAny = name === 'lseek' || Number(result) > 0xffff_ffff;
    const kind = `${name} ${isAny ? 'any' : result}`;
    counts.set(kind, (counts.get(kind) ?? 0) + times);
  }
  return counts;
}

test('the answers of the service list what strace sees: a file, a FIFO, /dev/full and a closed descriptor at each level', async (t) => {
  if (reason !== null) return t.skip(reason);
  if (!need(t, { command: 'strace', package: 'strace' })) return;
  const folder = tempFolder(t);
  const [trace, out] = [path.join(folder, 'trace'), path.join(folder, 'out')];
  const fifo = openFifo(t);
  const strace = ['strace', '-f', '-o', trace, '-e', 'raw=all'];
  const service = await startService(t, {
    args: ['--target', `out=${out}`, '--target', `pipe=${fifo.path}`],
    wrap: (command) => [...strace, ...command],
  });
  const answers: Answered[] = [];
  for (let round = 0; round < ROUNDS; round++)
    for (const level of LEVELS)
      for (const target of Object.keys(TARGETS))
        answers.push((await service.write({ level, target, msg: 'hello', witness: true })) as Answered);
  const bursts: BurstResult[] = [];
  for (const level of LEVELS) {
    const burst = { level, target: 'out', msg: 'burst', count: BURST, witness: true };
    bursts.push((await (await post(`${service.url}/bursts`, burst)).json()) as BurstResult);
  }
  const records = await service.records();
  assert.equal(await service.stop(), 0);

  const windows = windowsOf(linesOf(readFileSync(trace, 'latin1'), records[0]?.pid ?? 0)).filter(isOfAWrite);
  assert.equal(windows.length, answers.length + BURST * LEVELS.length);

  for (const [at, { level, target, systemCalls, complete, dropped, verdict, written, error }] of answers.entries()) {
    const title = `${level} to ${target}`;
    const record = records[at] ?? assert.fail();
    const result = TARGETS[target] ?? 0;
    assert.deepEqual([error ? -error.errno : written, complete], [result, true], title);
    // The garbage collector may make more calls than a list keeps.
    assert.match(verdict ?? '', dropped === 0 ? /^agrees$/ : /^only \d+ of \d+ calls were kept$/, title);
    assert.deepEqual(
      [record.systemCalls, record.complete, record.dropped, record.verdict],
      [systemCalls, complete, dropped, verdict],
      'the record has the same list',
    );
    const seen = windows[at] ?? [];
    const list = systemCalls.map((call, index) => likeStrace(call, seen[index]));
    assert.deepEqual([list, dropped], [seen.slice(0, list.length), seen.length - list.length], title);
    if (dropped) continue;
    const own = systemCalls.filter(({ name, origin }) => origin.isLevel && MAIN_CALLS.has(name));
    if (level === 'uring') assert.deepEqual(new Set(own.map(({ name }) => name)), new Set(['io_uring_enter']), title);
    else {
      const main = own.map((call) => [call.name, call.arguments[0], call.arguments[2], call.result, call.preview]);
      assert.deepEqual(main, [['write', record.fd, 5, result, result < 0 ? null : 'hello']], title);
    }
  }
  for (const [at, { level, systemCalls, complete, dropped, disagreed, verdict }] of bursts.entries()) {
    const first = answers.length + at * BURST;
    const seen = windows.slice(first, first + BURST).flat();
    const kept = systemCalls?.reduce((sum, { times }) => sum + times, 0) ?? 0;
    assert.deepEqual([complete, dropped], [true, seen.length - kept], level);
    if (dropped) continue;
    assert.deepEqual([verdict, disagreed], ['agrees', 0], level);
    assert.deepEqual(countKinds(systemCalls ?? []), countKinds(seen), `a burst at ${level}`);
  }
  const text = 'hello'.repeat(ROUNDS * LEVELS.length);
  assert.equal(readFileSync(out, 'latin1'), text + 'burst'.repeat(BURST * LEVELS.length));
  assert.equal(`${await read(fifo.reader, text.length)}`, text);
  t.diagnostic(`${answers.length} writes, ${bursts.length} bursts, ${windows.flat().length} system calls`);
});

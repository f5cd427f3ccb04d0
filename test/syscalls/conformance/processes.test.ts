// The conformance cases that need several processes, or a process with its own limits.
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import { levels } from '../../../src/syscalls/index.js';
import { openFifo, ROOT, read, tempFolder } from '../../support/service.js';
import { need } from '../../support/tools.js';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));
const here = LEVEL_IDS.filter((id) => levels[id].available);
const WRITERS = ['a', 'b', 'c', 'd'];
const RECORDS = 300;

function start(args: string[], prefix: string[] = []): ChildProcessWithoutNullStreams {
  const [command, ...rest] = [...prefix, process.execPath, '--import', 'tsx', CHILD, ...args] as [string, ...string[]];
  const child = spawn(command, rest, { cwd: ROOT });
  child.stderr.pipe(process.stderr);
  return child;
}

/** Waits until a child has ended. @returns the last line that it printed, parsed; lines of `!` are signals */
async function resultOf(child: ChildProcessWithoutNullStreams): Promise<unknown> {
  const exited = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) lines.push(line);
  assert.deepEqual(await exited, [0, null]);
  return JSON.parse(lines.filter((line) => line !== '!').at(-1) ?? '');
}

for (const level of here) {
  test(`${level}: records of PIPE_BUF bytes from four writers do not mix [(ours; pipe(7))]`, async (t) => {
    const { path: fifo, reader, writer } = openFifo(t);
    const children = WRITERS.map((mark) => start(['records', level, fifo, mark, '4096', `${RECORDS}`]));
    const [taken, ...resultsOfEach] = await Promise.all([
      read(reader, WRITERS.length * RECORDS * 4096),
      ...children.map(resultOf),
    ]);
    closeSync(writer);
    for (const results of resultsOfEach) assert.deepEqual(results, [4096], 'each write was complete');
    const counts = new Map<string, number>();
    for (let at = 0; at < taken.length; at += 4096) {
      const record = taken.subarray(at, at + 4096);
      const mark = String.fromCharCode(record[0] as number);
      assert.ok(record.equals(Buffer.alloc(4096, mark)), `the record at ${at} has bytes of one writer only`);
      counts.set(mark, (counts.get(mark) ?? 0) + 1);
    }
    assert.deepEqual(
      [...counts.values()],
      WRITERS.map(() => RECORDS),
    );
  });

  test(`${level}: O_APPEND keeps every record of four writers at once [write06]`, async (t) => {
    const file = path.join(tempFolder(t), 'file');
    writeFileSync(file, '');
    const children = WRITERS.map((mark) => start(['records', level, file, mark, '100', `${RECORDS}`]));
    for (const results of await Promise.all(children.map(resultOf))) assert.deepEqual(results, [100]);
    const text = readFileSync(file, 'latin1');
    const records = text.match(/.{100}/g) ?? [];
    for (const mark of WRITERS) assert.equal(records.filter((record) => record === mark.repeat(100)).length, RECORDS);
    assert.equal(records.length, WRITERS.length * RECORDS);
  });

  test(`${level}: at a file-size limit, a write is short and the next one is EFBIG [g:WriteExceedsRLimit, g:WriteNoExceedsRLimit]`, async (t) => {
    if (!need(t, { command: 'prlimit', package: 'util-linux' })) return;
    const file = path.join(tempFolder(t), 'file');
    assert.deepEqual(await resultOf(start(['twice', level, file, '1025'], ['prlimit', '--fsize=1024'])), [1024, -27]);
    assert.equal(readFileSync(file).length, 1024);
    const within = path.join(tempFolder(t), 'file');
    assert.deepEqual(await resultOf(start(['twice', level, within, '512'], ['prlimit', '--fsize=1024'])), [512, 512]);
  });

  test(`${level}: a signal interrupts a blocking write, except at std and uring [(ours; signal(7))]`, async (t) => {
    if (!need(t, { command: 'cc', package: 'gcc' })) return;
    const library = path.join(tempFolder(t), 'interrupt.so');
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, path.join(ROOT, 'test/support/programs/interrupt.c')]);
    const { path: fifo, reader, writer } = openFifo(t);
    writeSync(writer, Buffer.alloc(65_536, 'a'));
    const child = start(['interrupted', level, fifo, library]);
    const lines = createInterface(child.stdout);
    const exited = once(child, 'exit');
    const seen: string[] = [];
    const signals = new Promise<void>((resolve) => {
      lines.on('line', (line) => {
        seen.push(line);
        if (seen.filter((each) => each === '!').length === 3) resolve();
      });
    });
    if (level === 'std') {
      // libuv repeats the call after each EINTR. So wait for three signals, then make room, which ends the call.
      await signals;
      await read(reader, 65_536);
    }
    await exited;
    const expected = { raw: -4, os: -4, std: 4096, int80: -4, uring: -11 }[level as string];
    assert.equal(JSON.parse(seen.filter((line) => line !== '!').at(-1) ?? ''), expected);
    closeSync(writer);
  });
}

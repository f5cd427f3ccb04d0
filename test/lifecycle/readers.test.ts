// Tests that the service survives readers that leave and return: of stdout, a target, the log and the record file.
import assert from 'node:assert/strict';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { LEVEL_IDS } from '../../src/protocol/names.js';
import type { CallRecord } from '../../src/protocol/records.js';
import { levels } from '../../src/syscalls/index.js';
import { openFifo, type Service, startService } from '../support/service.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
const { O_NONBLOCK, O_RDONLY } = constants;
const TIMES = 20;

/** Read everything that a pipe holds now. */
function readAvailable(fd: number): string {
  const chunks: Buffer[] = [];
  for (const chunk = Buffer.alloc(1 << 16); ; ) {
    try {
      const length = readSync(fd, chunk);
      if (length === 0) break;
      chunks.push(Buffer.from(chunk.subarray(0, length)));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
      break;
    }
  }
  return Buffer.concat(chunks).toString();
}

for (const target of ['stdout', 'pipe']) {
  test(`${target} is a FIFO: writes are EPIPE without a reader, and reach each of ${TIMES} new readers`, async (t) => {
    const { reader, writer, path: fifo } = openFifo(t);
    const service = await startService(
      t,
      target === 'stdout' ? { stdout: writer } : { args: ['--target', `pipe=${fifo}`] },
    );
    closeSync(writer);
    reader.destroy();
    await new Promise((resolve) => reader.once('close', resolve));

    type Seen = Pick<CallRecord, 'requestId' | 'seq' | 'level' | 'target' | 'requested' | 'written' | 'error'>;
    const answers: Seen[] = [];
    async function write(level: Seen['level'], msg: string): Promise<Seen> {
      const { calls, durationNs, ...answer } = await service.write({ level, target, msg });
      answers.push(answer);
      return answer;
    }
    for (let time = 0; time < TIMES; time++) {
      for (const level of LEVELS) {
        const { written, error } = await write(level, 'nobody');
        assert.deepEqual({ written, code: error?.code }, { written: 0, code: 'EPIPE' });
      }
      const next = openSync(fifo, O_RDONLY | O_NONBLOCK);
      const sent = LEVELS.map((level) => `${time} ${level} 世界\n`);
      for (const [index, level] of LEVELS.entries()) await write(level, sent[index] as string);
      assert.equal(readAvailable(next), sent.join(''), 'the new messages byte for byte, and none of the old ones');
      closeSync(next);
    }
    const records = await service.records();
    assert.deepEqual(
      records.map(({ requestId, level, target, requested, written, error, seq }) => ({
        requestId,
        level,
        target,
        requested,
        written,
        error,
        seq,
      })),
      answers,
    );
    assert.equal(await service.stop(), 0);
  });
}

/** Make the service log a line: a subscriber sends a message that is over the limit. */
async function causeLogLine({ url }: Service): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/events`);
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send('x'.repeat(2048));
  await new Promise((resolve) => socket.once('close', resolve));
}

test('a new reader of the log gets the lines that the old reader missed', async (t) => {
  const stderr = openFifo(t);
  const service = await startService(t, { stderr, args: ['--log-level', 'debug'] });
  closeSync(stderr.writer);
  stderr.reader.destroy();
  await new Promise((resolve) => stderr.reader.once('close', resolve));
  for (let time = 0; time < 3; time++) {
    await causeLogLine(service);
    for (const level of LEVELS)
      assert.equal((await service.write({ level, target: 'stderr', msg: 'nobody' })).error?.code, 'EPIPE');
  }
  const next = openSync(stderr.path, O_RDONLY | O_NONBLOCK);
  await causeLogLine(service);
  const lines = readAvailable(next).trimEnd().split('\n');
  assert.equal(lines.length, 4, 'three lines that waited for a reader, and the new one');
  for (const line of lines) assert.equal(JSON.parse(line).msg, "error on a subscriber's connection");
  closeSync(next);
  assert.equal(await service.stop(), 0);
});

test('the service goes on when the reader of its log has closed the pipe', async (t) => {
  const service = await startService(t, { args: ['--log-level', 'debug'] });
  service.child.stderr?.destroy();
  for (let time = 0; time < 3; time++) await causeLogLine(service);
  assert.equal((await service.write({ level: 'raw', msg: 'x' })).error, null);
  assert.equal(await service.stop(), 0);
});

test('--record on a full disk: the error is logged once, and GET /events has the records', async (t) => {
  const service = await startService(t, { args: ['--record', '/dev/full'] });
  for (let time = 0; time < 50; time++) await service.write({ level: 'raw', msg: 'x' });
  await service.logged('"file":"/dev/full"');
  assert.equal((await service.records()).length, 50);
  assert.equal(await service.stop(), 0);
  const logged = service.log.filter((line) => line.includes('the record file takes nothing'));
  assert.deepEqual(
    logged.map((line) => JSON.parse(line).err.code),
    ['ENOSPC'],
  );
});

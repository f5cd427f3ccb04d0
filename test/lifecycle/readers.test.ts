// Readers that come and go, at stdout, a target, the log and the record file: the service lives on.
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

/** What lies in a pipe. */
function take(fd: number): string {
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
  test(`${target} is a FIFO whose reader leaves, and another comes, ${TIMES} times over`, async (t) => {
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
      assert.equal(take(next), sent.join(''), 'byte for byte, and nothing of before');
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

/** Makes it log a line: what a subscriber sends is over the limit. */
async function makeItLog({ url }: Service): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/events`);
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send('x'.repeat(2048));
  await new Promise((resolve) => socket.once('close', resolve));
}

test('the log, whose reader leaves, and another comes', async (t) => {
  const stderr = openFifo(t);
  const service = await startService(t, { stderr, args: ['--log-level', 'debug'] });
  closeSync(stderr.writer);
  stderr.reader.destroy();
  await new Promise((resolve) => stderr.reader.once('close', resolve));
  for (let time = 0; time < 3; time++) {
    await makeItLog(service);
    for (const level of LEVELS)
      assert.equal((await service.write({ level, target: 'stderr', msg: 'nobody' })).error?.code, 'EPIPE');
  }
  const next = openSync(stderr.path, O_RDONLY | O_NONBLOCK);
  await makeItLog(service);
  const lines = take(next).trimEnd().split('\n');
  assert.equal(lines.length, 4, 'those that nobody read, and the new one');
  for (const line of lines) assert.equal(JSON.parse(line).msg, "error on a subscriber's connection");
  closeSync(next);
  assert.equal(await service.stop(), 0);
});

test('the log is a pipe that is closed for good', async (t) => {
  const service = await startService(t, { args: ['--log-level', 'debug'] });
  service.child.stderr?.destroy();
  for (let time = 0; time < 3; time++) await makeItLog(service);
  assert.equal((await service.write({ level: 'raw', msg: 'x' })).error, null);
  assert.equal(await service.stop(), 0);
});

test('the disk is full under --record: said once, and the records stay', async (t) => {
  const service = await startService(t, { args: ['--record', '/dev/full'] });
  for (let time = 0; time < 50; time++) await service.write({ level: 'raw', msg: 'x' });
  await service.logged('"file":"/dev/full"');
  assert.equal((await service.records()).length, 50);
  assert.equal(await service.stop(), 0);
  const said = service.log.filter((line) => line.includes('the record file cannot be written'));
  assert.deepEqual(
    said.map((line) => JSON.parse(line).err.code),
    ['ENOSPC'],
  );
});

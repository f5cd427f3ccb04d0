// Calls the addon at the end of the stack, from several threads, and from threads that end during a call. It never
// crashes, never writes another thread's bytes, and frees everything.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type Addon, builtAddon } from '../support/native.js';
import { addon, callsOf, here, onAny, onLinux, output } from '../support/native-calls.js';

const EBADF = -9;

test('a call near the end of the stack throws a RangeError or writes all of its bytes', onAny, (t) => {
  const empty = new Uint8Array(0);
  const mark = Buffer.from('deep ');
  for (const id of here()) {
    const { fd, text } = output(t);
    const { write, writeFrom } = callsOf(addon(), id);
    let written = 0;
    let tries = 0;
    // On the way back from the deepest frame, each frame tries the calls for which there was no room further down.
    const dive = (...padding: number[]): void => {
      try {
        dive(...padding);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
      if (tries++ > 20) return;
      assert.equal(write(fd, empty), 0);
      assert.equal(writeFrom(-1, 0n, 0n), EBADF);
      written += write(fd, mark);
    };
    // Frames of many sizes, so that the stack ends at many different places in the addon.
    for (let size = 0; size < 100; size++) {
      tries = 0;
      dive(...new Array(size).fill(0));
    }
    assert.ok(written > 0);
    assert.equal(text(), 'deep '.repeat(written / mark.length), id);
  }
});

test('the addon can be loaded twice in a thread, and both copies write', onAny, (t) => {
  const file = builtAddon();
  const [one, two] = [0, 1].map(() => {
    const module = { exports: {} };
    process.dlopen(module, file);
    return module.exports as Addon;
  }) as [Addon, Addon];
  assert.notEqual(one.write, two.write);
  for (const id of here()) {
    const { fd, text } = output(t);
    for (const each of [one, two, one, two]) assert.equal(callsOf(each, id).write(fd, Buffer.from('twice ')), 6);
    assert.equal(text(), 'twice '.repeat(4), id);
  }
});

// The addon's levels by name, for the scripts that run in threads and child processes.
const CALLS = `
  const addon = require(${JSON.stringify(builtAddon())});
  const calls = { raw: addon, int80: addon.int80, uring: addon.uring };`;

/** Starts a thread that runs a script with CALLS. */
function startThread(script: string, data: object = {}): Worker {
  const source = `const { parentPort, workerData } = require('node:worker_threads'); ${CALLS} ${script}`;
  return new Worker(source, { eval: true, workerData: { here: here(), ...data } });
}

/** Waits until a thread has ended. */
const ended = (worker: Worker): Promise<unknown> =>
  new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));

test('three threads write at the same time, and each file has its thread’s bytes in order', onAny, async (t) => {
  const outs = [output(t), output(t), output(t)];
  const threads = outs.slice(1).map(({ fd }, at) =>
    startThread(
      `for (let i = 0; i < 300; i++)
         for (const id of workerData.here)
           if (calls[id].write(workerData.fd, Buffer.from(workerData.mark + id + ' ')) < 1) throw new Error(id);`,
      { fd, mark: at },
    ),
  );
  const done = Promise.all(threads.map(ended));
  const [{ fd }] = outs as [(typeof outs)[0]];
  for (let i = 0; i < 300; i++)
    for (const id of here()) assert.ok(callsOf(addon(), id).write(fd, Buffer.from(`m${id} `)) > 0);
  await done;
  for (const [at, mark] of ['m', '0', '1'].entries())
    assert.equal(
      outs[at]?.text(),
      here()
        .map((id) => `${mark}${id} `)
        .join('')
        .repeat(300),
    );
});

test('the addon writes during the exit event of a thread and of the process', onAny, async (t) => {
  const { fd, text } = output(t);
  const last = `process.on('exit', () => workerData.here.forEach((id) => calls[id].write(workerData.fd, Buffer.from(id + ' '))));`;
  await ended(startThread(last, { fd }));
  const script = `const workerData = ${JSON.stringify({ fd: 3, here: here() })}; ${CALLS} ${last}`;
  const stdio = ['ignore', 'ignore', 'pipe', fd] as const;
  const main = spawnSync(process.execPath, ['-e', script], { stdio: [...stdio], encoding: 'utf8' });
  assert.deepEqual([main.status, main.stderr], [0, '']);
  assert.equal(text(), `${here().join(' ')} `.repeat(2));
});

test('terminating a thread during a call, or while it loads the addon, does not end the process', onAny, async () => {
  const script = `
    const detached = new Uint8Array(new ArrayBuffer(8));
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const rows = workerData.here.map((id) => calls[id]).flatMap((of) => [
      () => of.write(-1, Buffer.from('x')), () => of.write(-1, 'x'), () => of.write(-1, detached), () => new of.write(),
      () => of.writeFrom(-1, 0n, 0n), () => of.writeFrom(-1, 0n, -1n), of.code, of.address]);
    rows.push(...workerData.here.slice(1).map((id) => calls[id].probe));
    rows.push(() => process.dlopen({ exports: {} }, ${JSON.stringify(builtAddon())}));
    parentPort.postMessage(0);
    for (;;) for (const row of rows) try { row(); } catch {}`;
  for (let i = 0; i < 30; i++) {
    const worker = startThread(script);
    worker.once('message', () => worker.terminate());
    assert.equal(await ended(worker), 1);
  }
});

/** Counts this process's descriptors, its rings, and the bytes of anonymous memory where MAP_32BIT maps it: mmap(2). */
function countResources(): { fds: number; rings: number; low: number } {
  const maps = readFileSync('/proc/self/maps', 'latin1');
  const anonymous = Array.from(maps.matchAll(/^(\w+)-(\w+) \S+ \S+ \S+ 0 *$/gm), ([, from, to]) => [
    Number(`0x${from}`),
    Number(`0x${to}`),
  ]) as [number, number][];
  const low = anonymous.filter(([from, to]) => from >= 2 ** 30 && to <= 2 ** 31);
  return {
    fds: readdirSync('/proc/self/fd').length,
    rings: maps.match(/\[io_uring\]$/gm)?.length ?? 0,
    low: low.reduce((sum, [from, to]) => sum + to - from, 0),
  };
}

test('a hundred threads leave no ring, no descriptor and no memory below 4 GiB behind', onLinux, async (t) => {
  const fd = openSync('/dev/null', 'w');
  t.after(() => closeSync(fd));
  // malloc(3) maps so many bytes, above 4 GiB, so that int80 has to copy them.
  const write = `for (const id of workerData.here) calls[id].write(workerData.fd, bytes);`;
  // Half of the threads are terminated while they write.
  const start = async (at: number): Promise<unknown> => {
    const worker = startThread(
      `const bytes = new Uint8Array(1 << 18); ${write} ${at % 2 ? '' : `parentPort.postMessage(0); for (;;) { ${write} }`}`,
      { fd },
    );
    const end = ended(worker);
    worker.once('message', () => worker.terminate());
    return end;
  };
  // The first threads make libuv and the allocator take resources once, which they keep.
  await Promise.all([0, 1, 2, 3].map(start));
  const before = countResources();
  for (let at = 0; at < 100; at += 4) await Promise.all([at, at + 1, at + 2, at + 3].map(start));
  const { low, ...rest } = countResources();
  assert.deepEqual({ ...rest, low: before.low }, before);
  // Some of V8's pages may lie there too. If every thread left its buffer behind, it would be a hundred MiB.
  assert.ok(low < before.low + (8 << 20), `${low - before.low} bytes more below 2 GiB`);
});

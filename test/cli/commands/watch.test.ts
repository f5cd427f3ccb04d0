// syswire watch: a row a call, or a line; nothing twice, nothing missing, whatever happens to the connection.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { listen, testApp } from '../../support/app.js';
import { appWithToken, ESCAPE, inTerminal, run, start, TOKEN, watcher } from '../../support/command.js';
import { MAIN, openFifo, startService, tempFolder } from '../../support/service.js';
import { need } from '../../support/tools.js';

test('watch --json: the lines of the stream as they are, which reconcile takes', async (t) => {
  const { url, ask, post } = await appWithToken(t);
  const send = (body: object) => post({ level: 'raw', msg: 'x\n', ...body }, { authorization: `Bearer ${TOKEN}` });
  const { until, lines, child, exited, got } = watcher(t, ['--json', '--since', '1'], url, { SYSWIRE_TOKEN: TOKEN });
  await until(() => lines().length === 1);
  for (const target of ['out', 'full', 'out']) await send({ target });
  await until(() => lines().length === 4);
  const { events } = await ask('/events');
  assert.deepEqual(
    lines().slice(1),
    events.map((event: object) => JSON.stringify(event)),
  );
  child.kill('SIGTERM');
  assert.deepEqual([await exited, got.err], [[0, null], '']);
  const folder = tempFolder(t);
  const [trace, records] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  writeFileSync(records, got.out);
  const traced = events.map(({ pid, fd, error }: { pid: number; fd: number; error: object | null }) =>
    JSON.stringify({ pid, fd, count: 2, ret: error ? -28 : 2 }),
  );
  writeFileSync(trace, traced.join('\n'));
  const { code, out } = await run(['reconcile', trace, records], '');
  assert.match(out, /^matched +3\n/);
  assert.equal(code, 0);
});

test('watch: filters, a partial write, and a gap, in words', async (t) => {
  const fifo = openFifo(t);
  const app = testApp(t, { history: 4, targets: { pipe: fifo.path } });
  closeSync(fifo.writer);
  const url = await listen(app.app);
  for (let i = 0; i < 6; i++) await app.post({ level: 'os', msg: 'x', target: 'out' }, { 'x-request-id': `r${i}` });
  await app.post({ level: 'raw', target: 'pipe', msg: 'x'.repeat(100_000) });
  for (const [args, rows] of [
    [
      [],
      [/^gap: 3 records are lost, 1 to 3$/, / 4 .* out /, / 5 .* out /, / 6 .* out /, / 7 .* pipe +100000 → 65536 /],
    ],
    [
      ['--target', 'pipe'],
      [/^gap/, / 7 .* pipe /],
    ],
    [
      ['--level', 'os'],
      [/^gap/, / 4 /, / 5 /, / 6 /],
    ],
    [
      ['--request-id', 'r4'],
      [/^gap/, / 5 /],
    ],
  ] as const) {
    const { until, lines, child, exited } = watcher(t, ['--since', '1', ...args], url);
    await until(() => lines().length >= rows.length);
    child.kill('SIGTERM');
    await exited;
    assert.equal(lines().length, rows.length);
    for (const [index, row] of rows.entries()) assert.match(lines()[index] as string, row);
  }
});

test('SIGTERM ends a watcher whose reader takes nothing', async (t) => {
  const { app, post } = testApp(t);
  const url = await listen(app);
  const child = start(['watch', '--json'], url);
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout as Readable, 'data');
  child.stdout?.pause();
  assert.equal((await post({ level: 'raw', msg: 'x', target: 'full', count: 50_000 }, {}, '/bursts')).statusCode, 200);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('watch: a row a call, its columns below each other, without escape codes where nobody sees colours', async (t) => {
  const { url, post } = await appWithToken(t);
  const { until, lines, child, exited } = watcher(t, ['--since', '1', '--errors'], url, { SYSWIRE_TOKEN: TOKEN });
  for (const level of ['raw', 'os', 'std'])
    for (const target of ['out', 'full'])
      await post({ level, msg: '\u001b[31mred\n', target }, { authorization: `Bearer ${TOKEN}` });
  await until(() => lines().length === 3);
  child.kill('SIGINT');
  assert.deepEqual(await exited, [0, null]);
  for (const [index, line] of lines().entries())
    assert.match(
      line,
      new RegExp(
        `^ {7}${index * 2 + 2}  \\d\\d:\\d\\d:\\d\\d\\.\\d{3}  (raw|os |std)    full          9 → ENOSPC  .{8} +[\\d.]+ [nµm]s  \\\\x1b\\[31mred\\\\n$`,
      ),
    );
  assert.doesNotMatch(lines().join(''), ESCAPE);
});

test('watch in a terminal: colours, a header, no row longer than the terminal is wide; NO_COLOR has none', async (t) => {
  if (!need(t, { command: 'script', package: 'bsdutils' })) return;
  const service = await startService(t);
  await service.write({ level: 'raw', msg: 'x'.repeat(80), target: 'full' });
  for (const env of [{}, { NO_COLOR: '1' }]) {
    const shown = await inTerminal(['watch', '--since', '1'], service.url, env, (out) => out.includes('…'));
    const rows = shown.split('\r\n');
    assert.match(rows[0] as string, /^ +seq +time/);
    assert.equal(ESCAPE.test(rows.join('')), !('NO_COLOR' in env));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours take no columns
    const plain = (rows[1] as string).replace(/\u001b\[\d+m/g, '');
    assert.equal(plain.length, 100);
    assert.match(plain, /x{5,}…$/);
  }
});

/** A way to a service that can be cut. */
async function cuttable(t: TestContext, url: string): Promise<{ url: string; cut: () => void }> {
  const { port, hostname } = new URL(url);
  const sockets = new Set<Socket>();
  const proxy = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          near.destroy();
          far.destroy();
        });
    }
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  t.after(() => proxy.close());
  await once(proxy, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  t.after(cut);
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, cut };
}

test('watch: a lost connection, and nothing is missing or twice; what the ring lost is a gap', async (t) => {
  const { app, post } = testApp(t, { history: 50 });
  const way = await cuttable(t, await listen(app));
  const { until, lines, got } = watcher(t, ['--json'], way.url);
  await until(() => lines().length === 1);
  // All in one turn, so that the watcher is not back in the middle of it.
  const make = (count: number) => post({ level: 'raw', msg: 'x', target: 'out', count }, {}, '/bursts');
  const told = () =>
    lines()
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type !== 'hello');
  await make(3);
  await until(() => told().length === 3);
  for (const count of [7, 120]) {
    way.cut();
    await until(() => /trying again\n$/.test(got.err));
    await make(count);
    const last = (await app.inject('/health')).json().next - 1;
    await until(() => told().at(-1)?.seq === last);
  }
  assert.deepEqual(
    told().map(({ type, seq, from, to }) => (type === 'gap' ? [from, to] : seq)),
    [...Array.from({ length: 10 }, (_, i) => i + 1), [11, 80], ...Array.from({ length: 50 }, (_, i) => i + 81)],
  );
  assert.match(got.err, /^(syswire: lost the connection .*\nsyswire: connected to .* again\n){2}$/);
});

test('watch: a connection lost right after a gap: the gap is told once', async (t) => {
  const { app, post } = testApp(t, { history: 4 });
  const way = await cuttable(t, await listen(app));
  for (let i = 0; i < 10; i++) await post({ level: 'raw', msg: 'x', target: 'out' });
  const { until, lines, got } = watcher(t, ['--json', '--since', '1', '--level', 'os'], way.url);
  await until(() => lines().length === 2);
  way.cut();
  await until(() => /again\n$/.test(got.err) && got.err.includes('connected'));
  await post({ level: 'os', msg: 'x', target: 'out' });
  await until(() => lines().some((line) => line.includes('"call"')));
  const told = lines()
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type !== 'hello');
  assert.deepEqual(told[0], { type: 'gap', from: 1, to: 6 });
  assert.equal(told.filter(({ type }) => type === 'gap').length, 1);
  assert.equal(told.at(-1).seq, 11);
});

test('watch: a service started anew is said, and seen from its first record', async (t) => {
  const first = await startService(t);
  const { port } = new URL(first.url);
  const { until, lines, got } = watcher(t, ['--json'], first.url);
  await until(() => lines().length === 1);
  await first.write({ level: 'raw', msg: 'before', target: 'full' });
  await until(() => lines().length === 2);
  await first.stop();
  const second = await startService(t, { args: ['--port', port] });
  await second.write({ level: 'raw', msg: 'after', target: 'full' });
  await until(() => lines().length === 4);
  const told = lines().map((line) => JSON.parse(line));
  assert.deepEqual(
    told.map(({ type, preview = '' }) => `${type} ${preview}`.trim()),
    ['hello', 'call before', 'hello', 'call after'],
  );
  assert.notEqual(told[0].run, told[2].run);
  assert.match(got.err, /the service has been started anew/);
});

test('watch | head: ends by itself, quietly', async (t) => {
  const { app } = testApp(t);
  const url = await listen(app);
  const { child, until, exited, got } = watcher(t, ['--json'], url);
  await until(() => got.out !== '');
  child.stdout?.destroy();
  let over = false;
  exited.then(() => {
    over = true;
  });
  while (!over)
    await app.inject({
      method: 'POST',
      url: '/bursts',
      payload: { level: 'raw', msg: 'x', target: 'full', count: 100 },
    });
  assert.deepEqual([await exited, got.err], [[0, null], '']);
});

test('watch into a disk that is full: one line, exit 1', async (t) => {
  const { app, post } = testApp(t);
  const url = await listen(app);
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [MAIN, 'watch', '--json'], {
    env: { ...process.env, SYSWIRE_URL: url },
    stdio: ['ignore', full, 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const err = text(child.stderr as Readable);
  const [[code]] = await Promise.all([once(child, 'exit'), post({ level: 'raw', msg: 'x', target: 'out' })]);
  assert.match(await err, /^syswire: standard output: ENOSPC/);
  assert.equal(code, 1);
});

test('watch whose reader is slow: it waits with it, and every record is told or lost', async (t) => {
  const { app, post } = testApp(t, { history: 1000 });
  const url = await listen(app);
  const child = start(['watch', '--json'], url);
  t.after(() => child.kill('SIGKILL'));
  const out = child.stdout as Readable;
  const [hello] = await once(out, 'data');
  assert.match(String(hello), /^{"type":"hello"/);
  out.pause();
  const made = 300_000;
  assert.equal((await post({ level: 'raw', msg: 'x', target: 'full', count: made }, {}, '/bursts')).statusCode, 200);
  let rest = '';
  let next = 1;
  out.setEncoding('utf8').on('data', (chunk) => {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() as string;
    for (const line of lines) {
      const { type, seq, from, to } = JSON.parse(line);
      assert.equal(type === 'gap' ? from : seq, next);
      next = (type === 'gap' ? to : seq) + 1;
    }
  });
  out.resume();
  while (next <= made) await once(out, 'data', { signal: AbortSignal.timeout(20_000) });
  assert.equal(next, made + 1);
});

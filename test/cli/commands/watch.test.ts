// Tests syswire watch: every record appears exactly once, or in a gap, also when the connection is lost.
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

test('watch --json prints the lines of the stream unchanged, and reconcile accepts them', async (t) => {
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

test('watch applies its filters, and shows a partial write and a gap', async (t) => {
  const fifo = openFifo(t);
  const app = testApp(t, { history: 4, targets: { pipe: fifo.path } });
  closeSync(fifo.writer);
  const url = await listen(app.app);
  for (let i = 0; i < 6; i++) await app.post({ level: 'os', msg: 'x', target: 'out' }, { 'x-request-id': `r${i}` });
  await app.post({ level: 'raw', target: 'pipe', msg: 'x'.repeat(100_000) });
  for (const [args, rows] of [
    [
      [],
      [
        /^gap: 3 records are no longer kept, 1 to 3$/,
        / 4 .* out /,
        / 5 .* out /,
        / 6 .* out /,
        / 7 .* pipe +100000 → 65536 /,
      ],
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

test('SIGTERM ends watch while the reader of its output takes nothing', async (t) => {
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

test('watch prints aligned rows, and no escape codes if stdout is not a terminal', async (t) => {
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

test('watch in a terminal shows a header, rows no wider than the terminal, and colours unless NO_COLOR is set', async (t) => {
  if (!need(t, { command: 'script', package: 'bsdutils' })) return;
  const service = await startService(t);
  await service.write({ level: 'raw', msg: 'x'.repeat(80), target: 'full' });
  await service.write({ level: 'raw', msg: '🌍'.repeat(16), target: 'full' });
  for (const env of [{}, { NO_COLOR: '1' }]) {
    const shown = await inTerminal(['watch', '--since', '1'], service.url, env, (out) => out.includes('🌍…'));
    const rows = shown.split('\r\n');
    assert.match(rows[0] as string, /^ +seq +time/);
    assert.equal(ESCAPE.test(rows.join('')), !('NO_COLOR' in env));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression removes the colours, which take no columns
    const [plain = '', emoji = ''] = rows.slice(1).map((text) => text.replace(/\u001b\[\d+m/g, ''));
    assert.equal(plain.length, 100);
    assert.match(plain, /x{5,}…$/);
    // An emoji is two code units, and takes two columns.
    assert.match(emoji, /🌍{5,}…$/u);
    assert.ok(emoji.length <= 100, emoji);
  }
});

/** Start a proxy in front of the service at `url`. `cut` destroys all its connections. */
async function startProxy(t: TestContext, url: string): Promise<{ url: string; cut: () => void }> {
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

test('watch reconnects after a lost connection: no record is missing or repeated, and lost ones are a gap', async (t) => {
  const { app, post } = testApp(t, { history: 50 });
  const proxy = await startProxy(t, await listen(app));
  const { until, lines, got } = watcher(t, ['--json'], proxy.url);
  await until(() => lines().length === 1);
  // A burst this short runs in one turn of the event loop, so watch cannot reconnect in the middle of it.
  const make = (count: number) => post({ level: 'raw', msg: 'x', target: 'out', count }, {}, '/bursts');
  const received = () =>
    lines()
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type !== 'hello');
  await make(3);
  await until(() => received().length === 3);
  for (const count of [7, 120]) {
    proxy.cut();
    await until(() => /trying again\n$/.test(got.err));
    await make(count);
    const last = (await app.inject('/health')).json().next - 1;
    await until(() => received().at(-1)?.seq === last);
  }
  assert.deepEqual(
    received().map(({ type, seq, from, to }) => (type === 'gap' ? [from, to] : seq)),
    [...Array.from({ length: 10 }, (_, i) => i + 1), [11, 80], ...Array.from({ length: 50 }, (_, i) => i + 81)],
  );
  assert.match(got.err, /^(syswire: lost the connection .*\nsyswire: connected to .* again\n){2}$/);
});

// 0 means the same as 1: from the beginning.
for (const since of ['1', '0']) {
  test(`watch --since ${since} that loses its connection right after a gap prints the gap once`, async (t) => {
    const { app, post } = testApp(t, { history: 4 });
    const proxy = await startProxy(t, await listen(app));
    for (let i = 0; i < 10; i++) await post({ level: 'raw', msg: 'x', target: 'out' });
    const { until, lines, got } = watcher(t, ['--json', '--since', since, '--level', 'os'], proxy.url);
    await until(() => lines().length === 2);
    proxy.cut();
    await until(() => /again\n$/.test(got.err) && got.err.includes('connected'));
    await post({ level: 'os', msg: 'x', target: 'out' });
    await until(() => lines().some((line) => line.includes('"call"')));
    const received = lines()
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type !== 'hello');
    assert.deepEqual(received[0], { type: 'gap', from: 1, to: 6 });
    assert.equal(received.filter(({ type }) => type === 'gap').length, 1);
    assert.equal(received.at(-1).seq, 11);
  });
}

test('watch reports a restart of the service, and shows its records from the first on', async (t) => {
  const first = await startService(t);
  const { port } = new URL(first.url);
  const { until, lines, got } = watcher(t, ['--json'], first.url);
  await until(() => lines().length === 1);
  await first.write({ level: 'raw', msg: 'before', target: 'full' });
  await until(() => lines().length === 2);
  await first.stop();
  const second = await startService(t, { args: ['--port', port] });
  await second.write({ level: 'raw', msg: 'after', target: 'full' });
  await until(() => lines().length === 5);
  const received = lines().map((line) => JSON.parse(line));
  assert.deepEqual(
    received.map(({ type, preview = '' }) => `${type} ${preview}`.trim()),
    ['hello', 'call before', 'end', 'hello', 'call after'],
  );
  assert.notEqual(received[0].run, received[3].run);
  assert.match(got.err, /the service was restarted \(run \w+\): its records begin at 1 again/);
});

test('watch ends with 0 and no message when its reader closes the pipe', async (t) => {
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

test('watch with output to a full disk: exit 1, one line', async (t) => {
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

test('watch with a slow reader waits: each record is printed, or is in a gap', async (t) => {
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
      if (type === 'end') continue;
      assert.equal(type === 'gap' ? from : seq, next);
      next = (type === 'gap' ? to : seq) + 1;
    }
  });
  out.resume();
  while (next <= made) await once(out, 'data', { signal: AbortSignal.timeout(20_000) });
  assert.equal(next, made + 1);
});

test("SIGUSR1 does not open Node's debugger in watch", async (t) => {
  const { app, post } = testApp(t);
  const { child, until, lines, got, exited } = watcher(t, ['--json'], await listen(app));
  await until(() => lines().length === 1);
  child.kill('SIGUSR1');
  await post({ level: 'raw', msg: 'x', target: 'out' });
  await until(() => lines().length === 2);
  child.kill('SIGTERM');
  assert.deepEqual([await exited, got.err], [[0, null], '']);
});

// syswire write, burst and watch: the verbs that ask a running service.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { WebSocketServer } from 'ws';
import type { BurstResult, WriteResult } from '../../src/server/schema/calls.js';
import { LEVEL_IDS } from '../../src/syscalls/contract.js';
import { levels } from '../../src/syscalls/levels.js';
import { listen, testApp } from '../app.js';
import { MAIN, openFifo, read, startService, tempFolder } from '../service.js';
import { need } from '../tools.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
const TOKEN = 'a-token-for-this-test';
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
const ESCAPE = /\u001b/;

type Ran = { code: number | null; out: string; err: string };

function start(args: string[], url: string, env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, SYSWIRE_URL: url, ...env } });
}

async function run(args: string[], url: string, { env = {}, input = '' as string | Buffer } = {}): Promise<Ran> {
  const child = start(args, url, env);
  child.stdin?.on('error', () => {}).end(input);
  const [out, err, [code]] = await Promise.all([
    text(child.stdout as Readable),
    text(child.stderr as Readable),
    once(child, 'exit'),
  ]);
  return { code, out, err };
}

/**
 * A terminal around a command, and what it shows; `enough` says when to end it.
 * https://man7.org/linux/man-pages/man1/script.1.html
 */
async function inTerminal(
  args: string[],
  url: string,
  env: NodeJS.ProcessEnv = {},
  enough: (shown: string) => boolean = () => false,
): Promise<string> {
  const command = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', `stty cols 100; echo $$; exec ${command}`, '/dev/null'], {
    // Under CI Node says that a terminal has no colours.
    env: { ...process.env, CI: undefined, SYSWIRE_URL: url, TERM: 'xterm-256color', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    out += chunk;
    if (enough(out)) process.kill(Number.parseInt(out, 10), 'SIGTERM');
  }
  return out.slice(out.indexOf('\n') + 1);
}

async function appWithToken(t: TestContext) {
  const app = testApp(t, { token: TOKEN });
  const url = await listen(app.app);
  const ask = async (path: string) =>
    (await app.app.inject({ url: path, headers: { authorization: `Bearer ${TOKEN}` } })).json();
  return { ...app, url, ask };
}

test('write: each level, from the command line and from stdin, text and bytes', async (t) => {
  const { url, written } = await appWithToken(t);
  const bytes = Buffer.from([0xff, 0, 10]);
  for (const level of LEVELS) {
    const { code, out, err } = await run(['write', level, 'grüß\n', '--target', 'out', '--token', TOKEN], url);
    assert.deepEqual({ code, err }, { code: 0, err: '' });
    assert.match(out, new RegExp(`^7 of 7 bytes at ${level} to out: record \\d+, 1 call, [\\d.]+ [µm]s\n$`));
  }
  const env = { SYSWIRE_TOKEN: TOKEN };
  const { out } = await run(['write', 'raw', '-', '--target', 'out', '--json'], url, { env, input: bytes });
  const { written: count, error } = JSON.parse(out) as WriteResult;
  assert.deepEqual({ count, error }, { count: 3, error: null });
  assert.deepEqual(written(), Buffer.concat([Buffer.from('grüß\n'.repeat(LEVELS.length)), bytes]));
});

test('write: what the operating system refused is exit 1 and one line', async (t) => {
  const { url } = await appWithToken(t);
  const env = { SYSWIRE_TOKEN: TOKEN };
  assert.deepEqual(await run(['write', 'os', 'hi', '--target', 'full'], url, { env }), {
    code: 1,
    out: '',
    err: 'syswire: write to full: ENOSPC (28): No space left on device\n',
  });
  const waits = ['write', 'os', 'hi', '--target', 'stuck-pipe', '--timeout', '30', '--json'];
  const { code, out } = await run(waits, url, { env });
  assert.deepEqual([code, JSON.parse(out).error.code], [1, 'EAGAIN']);
});

const USAGE: [name: string, args: string[], code: number, says: RegExp][] = [
  ['no level', ['write'], 2, /a level is needed: syswire write raw\|/],
  ['a level that is none', ['burst', 'RAW', 'x'], 2, /a level is needed: syswire burst/],
  ['no message', ['write', 'raw'], 2, /a message is needed: syswire write raw MSG/],
  ['two messages', ['burst', 'raw', 'a', 'b'], 2, /put 'a b' in quotes/],
  ['a flag that is none', ['watch', '--colour'], 2, /'--colour'/],
  ['a word too many', ['watch', 'raw'], 2, /'raw'/],
  ['a count that is no number', ['burst', 'raw', 'x', '--count', 'many'], 2, /--count many: must be a number/],
  ['a count too high', ['burst', 'raw', 'x', '--count', '1e9'], 2, /#\/count/],
  ['a rate too low', ['burst', 'raw', 'x', '--rate', '10'], 2, /60 s at most/],
  ['a target that is none', ['write', 'raw', 'x', '--target', 'printer'], 2, /there is no target 'printer'/],
  ['an address that is none', ['write', 'raw', 'x', '--url', 'localhost'], 2, /--url localhost: must be an address/],
  ['a port that fetch refuses', ['write', 'raw', 'x', '--url', 'http://127.0.0.1:6000'], 2, /fetch refuses this port/],
  [
    'a password in the address',
    ['write', 'raw', 'x', '--url', 'http://me:secret@127.0.0.1:2'],
    2,
    /^(?!.*secret).*leave out name and password/,
  ],
  ['a token that is none', ['watch', '--token', 'ein-Schlüssel-für-uns'], 2, /--token: must be visible ASCII/],
  ['since that is none', ['watch', '--since', 'x'], 2, /\?since: must be a whole number/],
  ['since in the future', ['watch', '--since', '9'], 2, /since is in the future/],
  ['a filter that is none', ['watch', '--level', 'RAW'], 2, /\?level: Invalid option/],
  ['a token that is wrong', ['watch', '--token', 'another-token-16'], 2, /the token is wrong/],
  [
    'nobody there',
    ['write', 'raw', 'x', '--url', 'http://127.0.0.1:2'],
    3,
    /no service answers at http:\/\/127\.0\.0\.1:2/,
  ],
  ['nobody there to watch', ['watch', '--url', 'http://127.0.0.1:2'], 3, /no service answers at/],
];

for (const [name, args, code, says] of USAGE) {
  test(`${args[0]}, ${name}: exit ${code}, one line`, async (t) => {
    const { url } = await appWithToken(t);
    const ran = await run(args, url, { env: { SYSWIRE_TOKEN: TOKEN } });
    assert.match(ran.err, says);
    assert.match(ran.err, /^syswire: .*\n$/, 'one line');
    assert.deepEqual([ran.code, ran.out], [code, '']);
  });
}

/** Somebody else's server, which answers each connection with `answer` and closes it. */
async function other(t: TestContext, answer: string | null): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    if (answer !== null) socket.end(answer);
  }).listen(0, '127.0.0.1');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

for (const [name, answer, code] of [
  ['a page', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello', 2],
  ['a 404 of its own', 'HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello', 2],
  ['a 502', 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n', 3],
  ['a refusal that is cut off', 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 500\r\n\r\n{"deta', 3],
] as const) {
  test(`what answers with ${name} is no service: exit ${code}, one line`, async (t) => {
    const url = await other(t, answer);
    for (const args of [['write', 'raw', 'x'], ['watch']]) {
      const ran = await run(args, url);
      assert.match(ran.err, /^syswire: .*\n$/);
      assert.equal(ran.code, code, ran.err);
    }
  });
}

test('a WebSocket that is not ours: exit 2, one line', async (t) => {
  for (const message of ['hello', 'null', '{"type":"call"}']) {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    t.after(() => server.close());
    server.on('connection', (socket) => socket.send(message));
    await once(server, 'listening');
    const { code, err } = await run(['watch'], `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    assert.match(err, /^syswire: .*is no syswire service: its stream does not begin with hello\n$/);
    assert.equal(code, 2);
    for (const socket of server.clients) socket.terminate();
  }
});

test('SIGTERM ends a watcher whose connection does not open', async (t) => {
  const url = await other(t, null);
  const { child, exited } = watcher(t, [], url);
  await new Promise<void>((resolve) => {
    const find = (): void => {
      // Its handlers are there once it waits: it has a socket to that port.
      const hex = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0');
      if (new RegExp(`0100007F:${hex} 01`).test(readFileSync('/proc/net/tcp', 'latin1'))) resolve();
      else setImmediate(find);
    };
    find();
  });
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
});

test('--help of each says what it takes', async () => {
  for (const verb of ['write', 'burst', 'watch']) {
    const { code, out } = await run([verb, '--help'], '');
    assert.match(out, new RegExp(`^syswire ${verb}.*\n\n.*--url URL.*exit: 0`, 's'));
    assert.equal(code, 0);
  }
});

test('burst: a table for people, the answer for programs, exit 1 when some were refused', async (t) => {
  const { url } = await appWithToken(t);
  const env = { SYSWIRE_TOKEN: TOKEN };
  const taken = await run(['burst', 'raw', 'x', '--count', '1500', '--rate', '5000', '--target', 'out'], url, { env });
  assert.deepEqual([taken.code, taken.err], [0, '']);
  const [title, names, cells, ...more] = taken.out.trimEnd().split('\n') as [string, string, string];
  assert.match(title, /^1,500 calls at raw to out: [3-5],\d{3} a second, 1,500 bytes written$/);
  assert.match(names, /^ +min +mean +p50 +p90 +p99 +max$/);
  assert.match(cells, /^( *[\d.]+ (ns|µs|ms)){6}$/);
  assert.equal(names.length, cells.length, 'aligned');
  assert.deepEqual(more, []);
  const refused = await run(['burst', 'os', 'x', '--count', '20', '--target', 'full'], url, { env });
  assert.match(refused.out, /\nrefused: ENOSPC 20\n$/);
  assert.equal(refused.code, 1);
  const json = await run(['burst', 'std', 'x', '--count', '20', '--target', 'full', '--json'], url, { env });
  assert.deepEqual((JSON.parse(json.out) as BurstResult).errors, { ENOSPC: 20 });
  for (const { out, err } of [taken, refused, json]) assert.doesNotMatch(out + err, ESCAPE);
});

test('burst in a terminal: a bar while it runs, wiped away at the end', async (t) => {
  if (!need(t, { command: 'script', package: 'bsdutils' })) return;
  const { url } = await appWithToken(t);
  const shown = await inTerminal(['burst', 'raw', 'x', '--count', '2000', '--rate', '2000', '--target', 'full'], url, {
    SYSWIRE_TOKEN: TOKEN,
  });
  assert.match(shown, /\r█+░+ \d+ % of 2,000/);
  assert.ok(shown.includes('\r\u001b[K2,000 calls at raw to full'));
});

test('burst: a stop of the service cuts it, which is said, and exit 3; a second burst meanwhile is not now', async (t) => {
  const service = await startService(t);
  const cut = run(['burst', 'raw', 'x', '--count', '50000', '--rate', '1000', '--target', 'full'], service.url);
  while ((await service.records()).length < 10);
  const second = await run(['burst', 'raw', 'x', '--count', '1'], service.url);
  assert.deepEqual([second.code, second.out], [3, '']);
  assert.match(second.err, /another burst runs/);
  await service.stop();
  const { code, out } = await cut;
  assert.match(out, /^[\d,]+ calls of 50,000 asked for at raw to full/);
  assert.equal(code, 3);
});

test('write: --timeout waits, and an address may have a path', async (t) => {
  const fifo = openFifo(t);
  const app = testApp(t, { targets: { pipe: fifo.path } });
  closeSync(fifo.writer);
  await app.post({ level: 'raw', target: 'pipe', msg: 'x'.repeat(65_536) });
  const url = await listen(app.app);
  const waiting = run(['write', 'raw', 'late', '--target', 'pipe', '--timeout', '20000'], url);
  while (((await (await fetch(`${url}/health`)).json()) as { next: number }).next < 3);
  await read(fifo.reader, 65_536);
  assert.match((await waiting).out, /^4 of 4 bytes at raw to pipe: record 3, 2 calls/);
  const { err } = await run(['write', 'raw', 'x', '--url', `${url}/below/it`], '');
  assert.match(err, /there is nothing at \/below\/it\/write/);
});

/** A watcher's lines as they come. */
function watcher(t: TestContext, args: string[], url: string, env: NodeJS.ProcessEnv = {}) {
  const child = start(['watch', ...args], url, env);
  t.after(() => child.kill('SIGKILL'));
  const got = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (chunk) => {
    got.out += chunk;
    child.emit('said');
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk) => {
    got.err += chunk;
    child.emit('said');
  });
  const exited = once(child, 'exit');
  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await once(child, 'said', { signal: AbortSignal.timeout(20_000) });
  }
  const lines = () => got.out.split('\n').slice(0, -1);
  return { child, got, until, lines, exited };
}

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
  const make = async (count: number) => {
    for (let i = 0; i < count; i++) await post({ level: 'raw', msg: 'x', target: 'out' });
  };
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

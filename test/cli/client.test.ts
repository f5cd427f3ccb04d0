// syswire write and burst, and what all verbs that ask a running service have in common.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocketServer } from 'ws';
import type { BurstResult, WriteResult } from '../../src/protocol/calls.js';
import { listen, testApp } from '../support/app.js';
import { appWithToken, ESCAPE, inTerminal, LEVELS, run, TOKEN, watcher } from '../support/command.js';
import { openFifo, read, startService } from '../support/service.js';
import { need } from '../support/tools.js';

test('write: each level, from the command line and from stdin, text and bytes', async (t) => {
  const { url, written } = await appWithToken(t);
  const bytes = Buffer.from([0xff, 0, 10]);
  for (const level of LEVELS) {
    const { code, out, err } = await run(['write', level, 'grüß\n', '--target', 'out', '--token', TOKEN], url);
    assert.deepEqual({ code, err }, { code: 0, err: '' });
    assert.match(out, new RegExp(`^7 of 7 bytes at ${level} to out: record \\d+, 1 call, [\\d.]+ [nµm]s\n$`));
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
  ['since in the future', ['watch', '--since', '9'], 2, /since=9 is in the future/],
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
  const [, perSecond = ''] =
    /^1,500 calls at raw to out: ([\d,]+) a second, 1,500 bytes written$/.exec(title) ?? assert.fail(title);
  const rate = Number(perSecond.replaceAll(',', ''));
  assert.ok(rate > 0 && rate < 5010, title);
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
  assert.match(second.err, /another burst is running/);
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

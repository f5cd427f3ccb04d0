// Tests syswire write and burst, and the flags and errors of all commands that send requests to a service.
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

test('write writes text from the command line and bytes from stdin, at each level', async (t) => {
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

test('write that the operating system refuses: exit 1, one line', async (t) => {
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
  [
    'no level',
    ['write'],
    2,
    /level is missing: the command is syswire write LEVEL MSG; LEVEL is raw, int80, uring, os or std$/m,
  ],
  [
    'an unknown level',
    ['burst', 'RAW', 'x'],
    2,
    /level 'RAW' is unknown: use raw, int80, uring, os or std; did you mean raw\?$/m,
  ],
  ['a level with a line feed', ['write', 'r\na', 'x'], 2, /level 'r\\na' is unknown/],
  ['no message', ['write', 'raw'], 2, /message is missing: .*; give - as MSG to read it from stdin/],
  ['two messages', ['burst', 'raw', 'a', 'b'], 2, /put 'a b' in quotes/],
  ['an unknown flag', ['watch', '--colour'], 2, /unknown flag --colour: syswire watch --help lists the flags$/m],
  [
    'a flag in place of a value',
    ['watch', '--since', '--json'],
    2,
    /--since needs a value: give --since SEQ, or --since=-… if/,
  ],
  ['an extra argument', ['watch', 'raw'], 2, /argument 'raw' is one too many: leave it out/],
  [
    'a count that is not a number',
    ['burst', 'raw', 'x', '--count', '1,000'],
    2,
    /: --count 1,000: must be a number of calls, in digits without separators$/m,
  ],
  [
    'a rate that is not a number',
    ['burst', 'raw', 'x', '--rate', 'fast'],
    2,
    /: --rate fast: must be a number of calls a second, in/,
  ],
  [
    'a timeout that is not a number',
    ['write', 'raw', 'x', '--timeout', 'abc'],
    2,
    /: --timeout abc: must be a number of milliseconds, in/,
  ],
  [
    'a timeout that is too long',
    ['write', 'raw', 'x', '--timeout', '99999999'],
    2,
    /: --timeout 99999999: must be at most 60,000, not 99,999,999$/m,
  ],
  [
    'a count that is too high',
    ['burst', 'raw', 'x', '--count', '1e9'],
    2,
    /: --count 1e9: must be at most 10,000,000, not 1,000,000,000$/m,
  ],
  [
    'a rate that is too low',
    ['burst', 'raw', 'x', '--rate', '10'],
    2,
    /: --rate 10: is too low: 100,000 calls .* 60 s at most/,
  ],
  ['an unknown target', ['write', 'raw', 'x', '--target', 'printer'], 2, /there is no target 'printer'/],
  [
    'a path as its target',
    ['write', 'raw', 'x', '--target', './f'],
    2,
    /: --target \.\/f: is a path, and .*: start it with --target NAME=\.\/f, or use syswire call$/m,
  ],
  ['a target that is no name', ['watch', '--target', 'a b'], 2, /: --target a b: is not a target name: use 1 to 64/],
  [
    'an address without a scheme',
    ['write', 'raw', 'x', '--url', 'localhost'],
    2,
    /--url localhost: must be an address/,
  ],
  // fetch would refuse this port without trying: https://fetch.spec.whatwg.org/#port-blocking
  [
    'a port of X11',
    ['write', 'raw', 'x', '--url', 'http://127.0.0.1:6000'],
    3,
    /no service answers at .*:6000 \(.*REFUSED/,
  ],
  [
    'a password in the address',
    ['write', 'raw', 'x', '--url', 'http://me:secret@127.0.0.1:2'],
    2,
    /^(?!.*secret).*the address has a name or password: remove it/,
  ],
  ['a token with umlauts', ['watch', '--token', 'ein-Schlüssel-für-uns'], 2, /--token: must be visible ASCII/],
  ['since that is not a number', ['watch', '--since', 'x'], 2, /: --since x: must be a whole number/],
  ['since in the future', ['watch', '--since', '9'], 2, /: --since 9: is in the future/],
  [
    'an unknown level to filter by',
    ['watch', '--level', 'RAW'],
    2,
    /--level RAW: must be raw, int80, uring, os or std; did you mean raw\?/,
  ],
  [
    'a wrong token',
    ['watch', '--token', 'another-token-16'],
    2,
    /the token is wrong: .* \(on the command line: --token, or/,
  ],
  [
    'no service',
    ['write', 'raw', 'x', '--url', 'http://127.0.0.1:2'],
    3,
    /no service answers at http:\/\/127\.0\.0\.1:2 \(.*ECONNREFUSED.*\): start one with syswire in another terminal, or check the address$/m,
  ],
  ['no service', ['watch', '--url', 'http://127.0.0.1:2'], 3, /no service answers at/],
];

for (const [name, args, code, says] of USAGE) {
  test(`${args[0]} with ${name}: exit ${code}, one line`, async (t) => {
    const { url } = await appWithToken(t);
    const ran = await run(args, url, { env: { SYSWIRE_TOKEN: TOKEN } });
    assert.match(ran.err, says);
    assert.match(ran.err, /^syswire: .*\n$/, 'one line');
    assert.deepEqual([ran.code, ran.out], [code, '']);
  });
}

/** Start a server other than syswire. It sends `answer` on each connection and closes it; null sends nothing. */
async function startOther(t: TestContext, answer: string | null): Promise<string> {
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
  test(`write and watch at another server, which answers with ${name}: exit ${code}, one line`, async (t) => {
    const url = await startOther(t, answer);
    for (const args of [['write', 'raw', 'x'], ['watch']]) {
      const ran = await run(args, url);
      assert.match(ran.err, /^syswire: .*\n$/);
      assert.equal(ran.code, code, ran.err);
    }
  });
}

test('watch at the WebSocket of another server: exit 2, one line', async (t) => {
  for (const message of ['hello', 'null', '{"type":"call"}']) {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    t.after(() => server.close());
    server.on('connection', (socket) => socket.send(message));
    await once(server, 'listening');
    const { code, err } = await run(['watch'], `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    assert.match(err, /^syswire: .*is not a syswire service \(its stream does not begin with hello\): check .*\n$/);
    assert.equal(code, 2);
    for (const socket of server.clients) socket.terminate();
  }
});

test('SIGTERM ends watch while its connection does not open', async (t) => {
  const url = await startOther(t, null);
  const { child, exited } = watcher(t, [], url);
  await new Promise<void>((resolve) => {
    const find = (): void => {
      // Once watch has a socket to that port, its signal handlers are installed.
      const hex = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0');
      if (new RegExp(`0100007F:${hex} 01`).test(readFileSync('/proc/net/tcp', 'latin1'))) resolve();
      else setImmediate(find);
    };
    find();
  });
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
});

test('burst prints a table, or the answer with --json; exit 1 if calls were refused', async (t) => {
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

test('burst in a terminal shows a progress bar, and removes it at the end', async (t) => {
  if (!need(t, { command: 'script', package: 'bsdutils' })) return;
  const { url } = await appWithToken(t);
  const shown = await inTerminal(['burst', 'raw', 'x', '--count', '2000', '--rate', '2000', '--target', 'full'], url, {
    SYSWIRE_TOKEN: TOKEN,
  });
  assert.match(shown, /\r█+░+ \d+ % of 2,000/);
  assert.ok(shown.includes('\r\u001b[K2,000 calls at raw to full'));
});

test('burst that the service cut because it stopped: exit 3; a second burst at the same time: exit 3', async (t) => {
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

test('write --timeout waits for room in a pipe; --url may have a path', async (t) => {
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
  assert.match(err, /there is nothing at '\/below\/it\/write': \/docs lists the paths$/m);
});

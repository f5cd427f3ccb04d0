// WebSocket by hand: upgrades that the service refuses, and frames that no client library sends.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { listen, type TestApp, testApp, until } from '../../support/app.js';
import { dial, FIN, parseAnswers, RST, type Step, type Wire, waitForNoConnections } from '../../support/connection.js';
import { ask, expectAll, HOST, LENGTH, post, testTable } from '../../support/exchange.js';
import {
  BINARY,
  CLOSE,
  close,
  type Frame,
  frame,
  headOnly,
  PING,
  PONG,
  parseFrames,
  TEXT,
} from '../../support/frames.js';

// The example of https://www.rfc-editor.org/rfc/rfc6455#section-1.3: a client's key, and the answer to it.
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': KEY,
};
/** Returns an upgrade. `fields` add to its own or replace them; null removes one. */
function upgrade(fields: Record<string, string | null> = {}, target = '/events', line = {}): string {
  const lines = Object.entries({ ...UPGRADE, ...fields }).filter(([, value]) => value !== null);
  return ask(target, HOST + lines.map(([name, value]) => `${name}: ${value}\r\n`).join(''), line);
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const isWithCallback = major > 24 || (major === 24 && minor >= 9);

testTable('upgrades that do not become a WebSocket', {
  ...expectAll(
    { answers: [400], closed: true },
    {
      'no version': upgrade({ 'Sec-WebSocket-Version': null }),
      'a version that does not exist yet': upgrade({ 'Sec-WebSocket-Version': '99' }),
      'a version that is no number': upgrade({ 'Sec-WebSocket-Version': 'x' }),
      'no key': upgrade({ 'Sec-WebSocket-Key': null }),
      'a short key': upgrade({ 'Sec-WebSocket-Key': 'c2hvcnQ=' }),
      'a key that is not base64': upgrade({ 'Sec-WebSocket-Key': '!'.repeat(24) }),
      'a malformed list of subprotocols': upgrade({ 'Sec-WebSocket-Protocol': 'a,,b' }),
      'an upgrade by POST': upgrade({}, '/events', { method: 'POST' }),
      'another route': upgrade({}, '/levels'),
      'an unknown route': upgrade({}, '/nowhere'),
      'a target that cannot be decoded': upgrade({}, '/%zz'),
      'an unknown query parameter': upgrade({}, '/events?colour=red'),
      'no Host': upgrade().replace(HOST, ''),
      'a body': `${upgrade({ 'Content-Length': '5' })}hello`,
      chunks: `${upgrade({ 'Transfer-Encoding': 'chunked' })}5\r\nhello\r\n0\r\n\r\n`,
    },
  ),
  'the Origin of another site': { send: upgrade({ Origin: 'http://evil.example' }), answers: [403], closed: true },
  // RFC 9110, section 7.8: a server may ignore an upgrade. It must not lose a byte of the request then.
  ...expectAll(
    { answers: [200] },
    {
      'Upgrade: h2c': upgrade({ Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMAAABk' }),
      'Upgrade: websocket, h2c': upgrade({ Upgrade: 'websocket, h2c' }),
      'Upgrade: h2c, and a second one with websocket': upgrade({ Upgrade: 'h2c', upgrade: 'websocket' }),
    },
  ),
  'an upgrade in HTTP/1.0': {
    send: upgrade({}, '/events', { version: 'HTTP/1.0' }),
    answers: [200],
    closed: true,
  },
  'requests behind one with Upgrade: h2c and no body': {
    send: ask('/health', `${HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n`).repeat(2) + ask('/health'),
    answers: [200, 200, 200],
  },
  'a write with Upgrade: h2c': {
    send: post(`${LENGTH}Connection: Upgrade\r\nUpgrade: h2c\r\n`),
    answers: [200],
    arrives: 'x',
  },
  'a write with Upgrade: h2c, behind another write': {
    send: post() + post(`${LENGTH}Connection: Upgrade\r\nUpgrade: h2c\r\n`),
    answers: [200, 200],
    arrives: 'xx',
  },
  // Since Node 24.9, Node itself ignores an upgrade, and then drops what came behind the request in the same read.
  ...(isWithCallback
    ? {}
    : {
        'a write behind one with Upgrade: h2c': {
          send: post(`${LENGTH}Connection: Upgrade\r\nUpgrade: h2c\r\n`) + post(),
          answers: [200, 200],
          arrives: 'xx',
        },
      }),
  // Without Connection the request asks for no upgrade: the answer is the records as JSON.
  'no Connection': { send: upgrade({ Connection: null }), answers: [200] },
  'an upgrade by HEAD': {
    send: upgrade({}, '/events', { method: 'HEAD' }),
    answers: [200],
    closed: true,
    toHead: true,
  },
  'an upgrade behind a request': {
    send: post() + upgrade(),
    answers: [200, 400],
    closed: true,
    arrives: 'x',
    atOnce: true,
  },
});

test('refused upgrades are not logged as warnings, so that no client can fill the log with them', async (t) => {
  const lines: string[] = [];
  const { app } = testApp(t, { logger: pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) }) });
  const url = await listen(app);
  for (const send of [post() + upgrade(), upgrade({}, '/%zz'), upgrade({ 'Sec-WebSocket-Version': '99' })]) {
    const wire = await dial(t, url);
    await wire.take([send]);
    await wire.untilClosed();
  }
  assert.deepEqual(lines, []);
});

test('the refusal of an unknown version names the versions that the service speaks', async (t) => {
  const { app } = testApp(t);
  const wire = await dial(t, await listen(app));
  await wire.take([upgrade({ 'Sec-WebSocket-Version': '99' })]);
  const { answers } = parseAnswers(await wire.untilClosed());
  assert.equal(answers[0]?.headers.get('sec-websocket-version'), '13, 8');
});

/** Checks the 101, and returns the frames behind it. */
function framesOf(received: Buffer): Frame[] {
  const end = received.indexOf('\r\n\r\n') + 4;
  if (end < 4) return [];
  const { answers } = parseAnswers(received.subarray(0, end));
  const { status, headers } = answers[0] ?? assert.fail('no answer');
  assert.deepEqual(
    [status, headers.get('upgrade'), headers.get('connection'), headers.get('sec-websocket-accept')],
    [101, 'websocket', 'Upgrade', ACCEPT],
  );
  assert.ok(
    !headers.has('sec-websocket-protocol') && !headers.has('sec-websocket-extensions'),
    'no subprotocol and no extension is accepted',
  );
  return parseFrames(received.subarray(end));
}

const isClose = ({ opcode }: Frame): boolean => opcode === CLOSE;
const hasHello = (received: Buffer): boolean => framesOf(received).length > 0;
const codeOf = (frames: Frame[]): number | null | undefined => {
  const goodbye = frames.find(isClose)?.payload;
  return goodbye && (goodbye.length === 0 ? null : goodbye.readUInt16BE(0));
};

/** `code`: the service's close code; null for a close frame without a code, undefined for no close frame. */
type Rows = [code: number | null | undefined, sends: Record<string, Step | Step[]>][];

const OPCODES = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15];
const CODES = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535];
/** Returns more frames than the service should read: it must close the connection long before the last. */
const endless = (first: Buffer, next: Buffer, count: number): Buffer =>
  Buffer.concat([first, ...Array(count).fill(next)]);

const FRAMES: Rows = [
  [
    1002,
    {
      'a frame without a mask': frame(TEXT, 'hi', { masked: false }),
      'a ping without a mask': frame(PING, 'hi', { masked: false }),
      'RSV1, which is compression': frame(TEXT, 'hi', { rsv: 4 }),
      RSV2: frame(TEXT, 'hi', { rsv: 2 }),
      RSV3: frame(TEXT, 'hi', { rsv: 1 }),
      ...Object.fromEntries(OPCODES.map((opcode) => [`opcode ${opcode}`, frame(opcode, 'hi')])),
      'a continuation of no message': frame(0, 'a'),
      'a message in a message': [frame(TEXT, 'a', { fin: false }), frame(TEXT, 'b')],
      'a ping of 126 bytes': frame(PING, Buffer.alloc(126)),
      'a close of 126 bytes': close(1000, Buffer.alloc(124, 'x')),
      'half a ping': frame(PING, 'a', { fin: false }),
      'half a close': frame(CLOSE, '', { fin: false }),
      'a close of one byte': frame(CLOSE, 'a'),
      ...Object.fromEntries(CODES.map((code) => [`a close with ${code}`, close(code)])),
      'an HTTP request': ask('/health'),
    },
  ],
  [
    1007,
    {
      'text that is not UTF-8': frame(TEXT, Buffer.from([0xff])),
      'text that ends within a character': frame(TEXT, Buffer.from([0xe4, 0xb8])),
      'text with a surrogate': frame(TEXT, Buffer.from([0xed, 0xa0, 0x80])),
      'a reason that is not UTF-8': close(1000, Buffer.from([0xff])),
    },
  ],
  [
    1009,
    {
      'a message over the limit': frame(BINARY, Buffer.alloc(1025)),
      'a message over the limit in parts': [frame(BINARY, Buffer.alloc(1024), { fin: false }), frame(0, 'x')],
      'a message without end': endless(frame(TEXT, 'a', { fin: false }), frame(0, 'a', { fin: false }), 50_000),
      'a length of 64 bits': headOnly((1n << 64n) - 1n),
      'a length whose top bit is set': headOnly(1n << 63n),
      'a length that no JavaScript number holds': headOnly(1n << 53n),
      'a length of 4 GiB': headOnly(1n << 32n),
    },
  ],
  [
    1008,
    {
      'a text': frame(TEXT, 'hi'),
      'an empty text': frame(TEXT),
      'a binary message of the largest size': frame(BINARY, Buffer.alloc(1024)),
      'a text in parts, with a ping in between': [frame(TEXT, 'a', { fin: false }), frame(PING, 'p'), frame(0, 'b')],
      'texts without end': endless(frame(TEXT, 'a'), frame(TEXT, 'a'), 10_000),
      'empty parts without end': endless(frame(TEXT, '', { fin: false }), frame(0, '', { fin: false }), 50_000),
    },
  ],
  [
    1000,
    {
      'a close with 1000': close(1000, 'bye'),
      'a text behind a close': [Buffer.concat([close(1000), frame(TEXT, 'hi')])],
      'a pong without a ping, then a close': [frame(PONG, 'p'), close(1000)],
      'pings, then a close': [...Array(100).fill(frame(PING, 'p')), close(1000)],
    },
  ],
  [3000, { 'a close with 3000': close(3000) }],
  [null, { 'a close without a code': frame(CLOSE) }],
  [
    undefined,
    {
      FIN: [FIN],
      RST: [RST],
      'half a frame, then FIN': [frame(TEXT, 'hello').subarray(0, 5), FIN],
      'half a frame, then RST': [headOnly(5n), RST],
    },
  ],
];

async function start(t: TestContext): Promise<TestApp & { url: string }> {
  const service = testApp(t, { maxSubscribers: 1 });
  return { ...service, url: await listen(service.app) };
}

/** Says how the service ends a connection. */
const describeClose = (code: number | null | undefined): string => {
  if (code === undefined) return 'the service sends no close frame';
  return code === null ? 'the service closes without a code' : `the service closes with ${code}`;
};

/** Waits until the service has room for a subscriber again: it takes only one. */
async function waitForRoom({ app }: TestApp): Promise<void> {
  await until(() => app.websocketServer.clients.size === 0);
}

/** Takes steps, answers the service's close frame, if any, and returns all frames once the service has closed. */
async function exchange(wire: Wire, steps: Step[], size?: number): Promise<Frame[]> {
  await wire.take(steps, size);
  if (!steps.includes(FIN) && !steps.includes(RST)) {
    await wire.until((received) => framesOf(received).some(isClose));
    await wire.take([close(1000)]);
  }
  const received = await wire.untilClosed();
  wire.end();
  return received.length > 0 ? framesOf(received) : [];
}

test('the service closes with the code that fits the frames, and then has room for the next subscriber', async (t) => {
  const service = await start(t);
  for (const [code, sends] of FRAMES) {
    for (const [name, send] of Object.entries(sends)) {
      await t.test(`${name}: ${describeClose(code)}`, async (t) => {
        const steps: Step[] = Array.isArray(send) ? send : [send];
        const bytewise = steps.every((step) => !(step instanceof Buffer) || step.length < 500);
        for (const size of bytewise ? [undefined, 1] : [undefined]) {
          const wire = await dial(t, service.url);
          await wire.take([upgrade()]);
          await wire.until(hasHello);
          assert.equal(codeOf(await exchange(wire, steps, size)), code);
          await waitForRoom(service);
        }
      });
    }
  }
  assert.equal((await service.app.inject('/health')).json().next, 1, 'no call was made');
  await waitForNoConnections(service.app);
});

const TOGETHER: [name: string, request: string, frames: Buffer, opcodes: number[], code: number][] = [
  ['a ping and a text', upgrade(), Buffer.concat([frame(PING, 'p'), frame(TEXT, 'a')]), [TEXT, PONG, CLOSE], 1008],
  ['a close', upgrade(), close(1000), [TEXT, CLOSE], 1000],
  ['a frame without a mask', upgrade(), frame(TEXT, 'hi', { masked: false }), [TEXT, CLOSE], 1002],
  ['a POST /write', upgrade(), Buffer.from(post()), [TEXT, CLOSE], 1002],
];

for (const [name, request, frames, opcodes, code] of TOGETHER) {
  test(`${name}, sent in one write with the upgrade, is read as frames`, async (t) => {
    const service = await start(t);
    const wire = await dial(t, service.url);
    const got = await exchange(wire, [Buffer.concat([Buffer.from(request), frames])]);
    assert.deepEqual([got.map(({ opcode }) => opcode), codeOf(got)], [opcodes, code]);
    assert.equal(service.written().length, 0);
    await waitForNoConnections(service.app);
  });
}

const OFFERS: Record<string, Record<string, string>> = {
  subprotocols: { 'Sec-WebSocket-Protocol': 'one, two' },
  compression: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
  'a malformed list of extensions': { 'Sec-WebSocket-Extensions': ';;;' },
  'the older version 8': { 'Sec-WebSocket-Version': '8' },
  'fields in upper case': { Upgrade: 'WebSocket', Connection: 'keep-alive, UPGRADE' },
};

for (const [name, fields] of Object.entries(OFFERS)) {
  test(`an upgrade with ${name} becomes a WebSocket like any other, also byte by byte`, async (t) => {
    const service = await start(t);
    for (const size of [undefined, 1]) {
      const wire = await dial(t, service.url);
      await wire.take([upgrade(fields)], size);
      await wire.until(hasHello);
      await exchange(wire, [close(1000)]);
      await waitForRoom(service);
    }
  });
}

test('a client that has sent half a frame still gets records, and makes room when it resets', async (t) => {
  const service = await start(t);
  const wire = await dial(t, service.url);
  await wire.take([upgrade()]);
  await wire.until(hasHello);
  await wire.take([headOnly(5n)]);
  await service.post({ level: 'raw', msg: 'x', target: 'out' });
  await wire.until((received) => framesOf(received).some(({ payload }) => payload.includes('"type":"call"')));
  await wire.take([RST]);
  await waitForRoom(service);
  await waitForNoConnections(service.app);
});

test('an upgrade with RST or FIN right behind it leaves room for the next subscriber', async (t) => {
  const service = await start(t);
  for (let round = 0; round < 50; round++) {
    const wire = await dial(t, service.url);
    await wire.take([upgrade(), round % 2 ? RST : FIN]);
    await wire.untilClosed();
    await waitForRoom(service);
  }
  await waitForNoConnections(service.app);
});

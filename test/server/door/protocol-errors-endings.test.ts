// Requests that arrive in pieces, many at once, cut off, or as noise.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, dial, FIN, parseAnswers, RST, waitForNoConnections } from '../../support/connection.js';
import {
  ask,
  BODY,
  CHUNKED,
  check,
  checkAlive,
  chunk,
  HOST,
  LAST,
  post,
  type Row,
  start,
  testTable,
  write,
} from '../../support/exchange.js';

const LETTERS = [...'abcdefghijklmnopqrst'];
const ENDINGS: Record<string, Row> = {
  '20 requests in one write': { send: LETTERS.map(() => ask('/health')).join(''), answers: LETTERS.map(() => 200) },
  '20 POST /write in one write': {
    send: LETTERS.map((letter) => write(letter)).join(''),
    answers: LETTERS.map(() => 200),
    arrives: LETTERS.join(''),
  },
  'a broken request between whole requests': {
    send: `${write('a')}${ask('/nowhere')}${write('b')}BROKEN\r\n\r\n${write('c')}`,
    answers: [200, 404, 200, 400],
    closed: true,
    arrives: 'ab',
  },
  'a broken body behind whole requests': {
    send: write('a') + write('b') + post(CHUNKED, `zz\r\n${BODY}`),
    answers: [200, 200, 400],
    closed: true,
    arrives: 'ab',
  },
  'endless garbage behind a write that waits': {
    send: [write('x', { target: 'stuck-pipe', timeoutMs: 300 }), ...Array(50).fill('\0'.repeat(1000))],
    answers: [200, 400],
    closed: true,
    records: 1,
  },
  'a broken request behind one with Connection: close': {
    send: `${ask('/health', `${HOST}Connection: close\r\n`)}BROKEN\r\n\r\n`,
    answers: [200],
    closed: true,
  },
  'a write that waits, then two that do not wait': {
    send: write('x', { target: 'stuck-pipe', timeoutMs: 300 }) + write('a') + write('b'),
    answers: [200, 200, 200],
    arrives: 'ab',
    records: 3,
  },
  'FIN before any byte': { send: [FIN], answers: [], closed: true },
  'a whole request, then FIN': { send: [post(), FIN], answers: [200], closed: true, arrives: 'x' },
  'half a body, then RST': { send: [post().slice(0, -5), RST], answers: [], closed: true },
  'half a field, then RST': { send: [post().slice(0, 30), RST], answers: [], closed: true },
};

testTable('requests in a row, and requests that are cut off', ENDINGS);

test('a broken body of a type that is refused gets one answer, 415, and the connection is closed', async (t) => {
  const { app, url } = await start(t);
  const wire = await dial(t, url);
  await wire.take([post(CHUNKED, `zz\r\n${BODY}`).replace('application/json', 'text/plain')]);
  const { answers } = parseAnswers(await wire.untilClosed());
  assert.deepEqual(
    answers.map(({ status }) => status),
    [415],
  );
  wire.end();
  await waitForNoConnections(app);
});

test('the service survives a reset before its answer to CONNECT or to an upgrade', async (t) => {
  const service = await start(t);
  const connect = ask('localhost:80', HOST, { method: 'CONNECT' });
  const upgrade = ask('/events', `${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n`);
  for (const first of ['', post(), write('x', { target: 'stuck-pipe', timeoutMs: 300 })]) {
    for (let round = 0; round < 40; round++) {
      const wire = await dial(t, service.url);
      await wire.take([first + (round % 2 ? connect : upgrade), RST]);
    }
    await waitForNoConnections(service.app);
    await checkAlive(t, service);
  }
});

test('a request that arrives in two writes is answered, wherever it is split', async (t) => {
  const service = await start(t);
  for (let at = 1; at < post().length; at++)
    await check(t, service, { send: [post().slice(0, at), post().slice(at)], answers: [200], arrives: 'x' });
  await waitForNoConnections(service.app);
});

test('a request that FIN cuts off is a 400 without a call, wherever it is cut', async (t) => {
  const service = await start(t);
  for (const whole of [post(), post(CHUNKED, chunk(BODY) + LAST)]) {
    for (let at = 1; at < whole.length; at++)
      await check(t, service, { send: [whole.slice(0, at), FIN], answers: [400], closed: true });
  }
  await checkAlive(t, service);
  await waitForNoConnections(service.app);
});

/** Creates a generator that gives the same numbers for the same seed: https://en.wikipedia.org/wiki/Xorshift */
function createRandom(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

const SEED = Number(process.env.SEED) || 1 + (Date.now() % 1_000_000);

test(`random bytes, and requests with one random byte, get whole answers (SEED=${SEED})`, async (t) => {
  const { app, url, written, records } = await start(t);
  const below = createRandom(SEED);
  let wrote = 0;
  for (let round = 0; round < 400; round++) {
    const bytes = Buffer.from(round % 2 ? post() : post(CHUNKED, chunk(BODY) + LAST));
    if (round % 4 === 0) for (const at of bytes.keys()) bytes[at] = below(256);
    else bytes[below(bytes.length)] = below(256);
    const wire = await dial(t, url);
    await wire.take([bytes, FIN]);
    const { answers, rest } = parseAnswers(await wire.untilClosed());
    assert.equal(rest.length, 0, `only whole answers to ${JSON.stringify(String(bytes))}`);
    assert.ok(answers.length > 0, `at least one answer to ${JSON.stringify(String(bytes))}`);
    for (const answer of answers) if (answer.status >= 400) assertProblem(answer);
    wrote += answers.filter(({ status }) => status === 200).length;
    wire.end();
  }
  assert.deepEqual([await records(), written().length], [wrote, wrote], '2xx if and only if a call was made');
  await waitForNoConnections(app);
});

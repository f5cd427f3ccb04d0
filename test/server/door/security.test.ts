// Attacks on every way in: reading, writing, the upgrade. They go over real connections, because inject() can neither
// upgrade nor leave out the Host.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { listen, testApp } from '../../support/app.js';

const TOKEN = 'a-token-for-this-test';
const RIGHT = { authorization: `Bearer ${TOKEN}` };

type Headers = Record<string, string | string[] | undefined>;
type Ask = { url: string; method?: string; path: string; headers: Headers; body?: string };

/** Sends a request, and returns the answer's status and headers. `host: undefined` sends no Host. */
async function ask({ url, method = 'GET', path, headers, body }: Ask): Promise<IncomingMessage> {
  const { host, hostname, port } = new URL(url);
  const sent = Object.entries({ host, ...headers }).filter(([, value]) => value !== undefined);
  const asked = request({ hostname, port, method, path, headers: Object.fromEntries(sent), setHost: false });
  asked.end(body);
  const answer = await Promise.race([once(asked, 'response'), once(asked, 'upgrade')]);
  const [response] = answer as [IncomingMessage];
  response.resume();
  response.socket.destroy();
  return response;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
};
const DOORS: Record<string, Omit<Ask, 'url'>> = {
  'GET /levels': { path: '/levels', headers: {} },
  'GET /events': { path: '/events', headers: {} },
  'GET /metrics': { path: '/metrics', headers: {} },
  'GET /docs/json': { path: '/docs/json', headers: {} },
  'POST /write': {
    method: 'POST',
    path: '/write',
    headers: JSON_TYPE,
    body: '{"level":"raw","msg":"x","target":"out"}',
  },
  'POST /bursts': {
    method: 'POST',
    path: '/bursts',
    headers: JSON_TYPE,
    body: '{"level":"raw","msg":"x","target":"out","count":2}',
  },
  'the upgrade': { path: '/events', headers: UPGRADE },
};

/** Logs in, and returns the session's cookie as `name=value`. */
async function logIn(url: string, token = TOKEN): Promise<string> {
  const body = JSON.stringify({ token });
  const { headers } = await ask({ url, method: 'POST', path: '/login', headers: JSON_TYPE, body });
  return `${headers['set-cookie']}`.split(';', 1)[0] as string;
}

type Attack = {
  status: number;
  headers?: Headers | ((t: TestContext, url: string) => Promise<Headers>);
  query?: string;
};

const ATTACKS: Record<string, Attack> = {
  'DNS rebinding': { status: 403, headers: { ...RIGHT, host: 'evil.example' } },
  'DNS rebinding, a name that begins like an address': {
    status: 403,
    headers: { ...RIGHT, host: '127.0.0.1.evil.example' },
  },
  'DNS rebinding, with an Origin that agrees': {
    status: 403,
    headers: { ...RIGHT, host: 'evil.example', origin: 'http://evil.example' },
  },
  'no Host': { status: 400, headers: { ...RIGHT, host: undefined } },
  "another site's page": { status: 403, headers: { ...RIGHT, origin: 'https://evil.example' } },
  "another site's page whose name begins like ours": {
    status: 403,
    headers: { ...RIGHT, host: 'localhost', origin: 'http://localhost.evil.example' },
  },
  'a page on another port of the same host': { status: 403, headers: { ...RIGHT, origin: 'http://127.0.0.1:1' } },
  'a page without an origin': { status: 403, headers: { ...RIGHT, origin: 'null' } },
  "another site's page in a browser that is logged in": {
    status: 403,
    headers: async (_t, url) => ({ cookie: await logIn(url), origin: 'https://evil.example' }),
  },
  'no token': { status: 401 },
  'a wrong token': { status: 401, headers: { authorization: `Bearer ${TOKEN.replace('a', 'b')}` } },
  'a truncated token': { status: 401, headers: { authorization: `Bearer ${TOKEN.slice(0, -1)}` } },
  'a token with more behind it': { status: 401, headers: { authorization: `Bearer ${TOKEN}x` } },
  'the token in the URL': { status: 401, query: `?token=${TOKEN}` },
  'the token in the URL as access_token, as in RFC 6750': { status: 401, query: `?access_token=${TOKEN}` },
  'the token as a password': {
    status: 401,
    headers: { authorization: `Basic ${Buffer.from(`:${TOKEN}`).toString('base64')}` },
  },
  'the token as a cookie': {
    status: 401,
    headers: async (_t, url) => ({ cookie: `syswire-${new URL(url).port}=${TOKEN}` }),
  },
  'the token as a subprotocol': { status: 401, headers: { 'sec-websocket-protocol': TOKEN } },
  'a wrong token before the right one': {
    status: 401,
    headers: { authorization: ['Bearer wrong', `Bearer ${TOKEN}`] },
  },
  'a wrong token with a good cookie': {
    status: 401,
    headers: async (_t, url) => ({ cookie: await logIn(url), authorization: 'Bearer wrong' }),
  },
  'a cookie after its logout': {
    status: 401,
    headers: async (_t, url) => {
      const cookie = await logIn(url);
      await ask({ url, method: 'POST', path: '/logout', headers: { cookie } });
      return { cookie };
    },
  },
  'a cookie of another run of the service': {
    status: 401,
    headers: async (t, url) => {
      const other = await listen(testApp(t, { token: TOKEN }).app);
      const [, value] = (await logIn(other)).split('=');
      return { cookie: `syswire-${new URL(url).port}=${value}` };
    },
  },
  'a cookie of another port': {
    status: 401,
    headers: async (_t, url) => ({ cookie: (await logIn(url)).replace(/\d+=/, '1=') }),
  },
  'a cookie whose expiry was moved': {
    status: 401,
    headers: async (_t, url) => ({
      cookie: (await logIn(url)).replace(/=(\d+)/, (_all, expires) => `=${Number(expires) + 1}`),
    }),
  },
};

for (const [name, { status, headers = {}, query = '' }] of Object.entries(ATTACKS))
  test(`${name} is answered with ${status} at every door, and no call is made`, async (t) => {
    const { app, written } = testApp(t, { token: TOKEN });
    const url = await listen(app);
    for (const [door, { path, headers: own, ...rest }] of Object.entries(DOORS)) {
      const sent = typeof headers === 'function' ? await headers(t, url) : headers;
      const answer = await ask({ url, path: path + query, headers: { ...own, ...sent }, ...rest });
      assert.equal(answer.statusCode, status, door);
      assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/, door);
    }
    assert.equal(written().length, 0);
    assert.equal((await app.inject('/health')).json().next, 1, 'no call was made');
  });

test('a client with the token, or with a cookie for it, comes in at every door', async (t) => {
  const { app, written } = testApp(t, { token: TOKEN });
  const url = await listen(app);
  for (const headers of [RIGHT, { cookie: await logIn(url) }, { ...RIGHT, origin: url }])
    for (const [door, { headers: own, ...rest }] of Object.entries(DOORS)) {
      const { statusCode } = await ask({ url, headers: { ...own, ...headers }, ...rest });
      assert.equal(statusCode, door === 'the upgrade' ? 101 : 200, door);
    }
  assert.equal(written().length, 9);
});

test('no answer allows other sites to read it', async (t) => {
  const { app } = testApp(t);
  const url = await listen(app);
  for (const method of ['GET', 'OPTIONS', 'HEAD']) {
    const preflight = { origin: url, 'access-control-request-method': 'POST' };
    const { headers } = await ask({ url, method, path: '/write', headers: preflight });
    assert.deepEqual(
      Object.keys(headers).filter((name) => name.startsWith('access-control')),
      [],
      method,
    );
  }
});

for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', undefined])
  test(`a write with ${type ?? 'no content type'}, which a form of another site can send, is a 415 and writes nothing`, async (t) => {
    const { app, written } = testApp(t);
    const url = await listen(app);
    const { body = '', ...door } = DOORS['POST /write'] as Ask;
    const { statusCode } = await ask({ ...door, url, headers: { 'content-type': type }, body });
    assert.equal(statusCode, 415);
    assert.equal(written().length, 0);
  });

test('the token is in no log line and no answer', async (t) => {
  const lines: string[] = [];
  const { pino } = await import('pino');
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const { app } = testApp(t, { token: TOKEN, logger });
  const url = await listen(app);
  for (const headers of [RIGHT, { authorization: `Basic ${TOKEN}` }, { cookie: TOKEN }])
    for (const path of ['/levels', `/nowhere?token=${TOKEN}`, '/%zz', '/docs/json', '/metrics', '/events?since=x'])
      await ask({ url, path, headers });
  assert.ok(lines.length > 0, 'the service logs something');
  const { body } = await app.inject({ url: '/nowhere', headers: RIGHT });
  assert.ok(!`${lines}${body}`.includes(TOKEN));
});

test('no page of another site can load an answer, frame it or find it in a cache', async (t) => {
  const { app, post } = testApp(t, { token: TOKEN });
  const answers: { headers: Record<string, unknown> }[] = [
    await app.inject('/health'),
    await app.inject('/levels'),
    await app.inject('/nowhere'),
    await post('{', {}, '/login'),
  ];
  // Answers below Fastify: a page can ask for a long path, and would see that something answers.
  const url = await listen(app);
  for (const [path, headers, status] of [
    [`/${'x'.repeat(17 << 10)}`, {}, 431],
    ['/health', { expect: 'x' }, 417],
  ] as const) {
    const answer = await ask({ url, path, headers });
    assert.equal(answer.statusCode, status);
    answers.push(answer);
  }
  for (const { headers } of answers) {
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-frame-options'], 'DENY');
  }
});

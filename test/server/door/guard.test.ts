// The service checks Host, Origin and token before any route runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testApp } from '../../support/app.js';

const HOSTS: [host: string, status: number][] = [
  ['127.0.0.1:8080', 200],
  ['[::1]:8080', 200],
  ['192.0.2.7', 200],
  ['localhost', 200],
  ['LocalHost:1', 200],
  ['syswire.example:80', 200],
  ['evil.example', 403],
  ['localhost.evil.example', 403],
  ['127.0.0.1.evil.example', 403],
  ['evil.example:8080', 403],
  ['localhost@evil.example', 400],
  ['a b', 400],
];

for (const [host, status] of HOSTS) {
  test(`a request with Host '${host}' is answered with ${status}`, async (t) => {
    const { app } = testApp(t, { allowHost: ['syswire.example'] });
    assert.equal((await app.inject({ url: '/health', headers: { host } })).statusCode, status);
  });
}

test('a 403 because of Host or Origin says what was sent, what is expected, and what mends it', async (t) => {
  const { app } = testApp(t, { allowHost: ['syswire.example'] });
  const detail = async (headers: Record<string, string>) =>
    (await app.inject({ url: '/health', headers })).json().detail;
  assert.equal(
    await detail({ host: 'syswire_upstream' }),
    "Host 'syswire_upstream' is not allowed: use an IP address or localhost or syswire.example, or start with --allow-host syswire_upstream; behind a proxy keep the Host header, in nginx with: proxy_set_header Host $http_host;",
  );
  assert.equal(
    await detail({ host: '127.0.0.1:8080', origin: 'http://syswire.example:8081' }),
    "Origin 'http://syswire.example:8081' is another site than Host '127.0.0.1:8080', whose Origin is http://127.0.0.1:8080 or https://127.0.0.1:8080: requests from other sites are refused, use this service's own page; behind a proxy keep the Host header, in nginx with: proxy_set_header Host $http_host;",
  );
});

test('the Allow of a 405 has HEAD wherever GET is answered', async (t) => {
  const { app } = testApp(t);
  for (const url of ['/health', '/levels', '/events', '/metrics', '/openapi.yaml', '/']) {
    const { statusCode, headers } = await app.inject({ method: 'DELETE', url });
    assert.deepEqual([statusCode, headers.allow], [405, 'GET, HEAD'], url);
    const head = await app.inject({ method: 'HEAD', url });
    assert.deepEqual([head.statusCode, head.body], [200, ''], url);
  }
  assert.equal((await app.inject({ method: 'GET', url: '/write' })).headers.allow, 'POST');
});

const ORIGINS: [origin: string, status: number][] = [
  ['http://localhost:8080', 200],
  ['http://localhost:8081', 403],
  ['http://localhost', 403],
  ['http://127.0.0.1:8080', 403],
  ['https://evil.example', 403],
  ['null', 403],
  ['', 403],
];

for (const [origin, status] of ORIGINS) {
  test(`a write with Origin '${origin}' to localhost:8080 is answered with ${status}, and writes only if that is 200`, async (t) => {
    const { post, written } = testApp(t);
    const answer = await post({ level: 'raw', msg: 'x', target: 'out' }, { host: 'localhost:8080', origin });
    assert.equal(answer.statusCode, status);
    assert.equal(written().length, status === 200 ? 1 : 0);
  });
}

test('every answer forbids other pages to frame it', async (t) => {
  const { app } = testApp(t);
  for (const url of ['/', '/docs/', '/health', '/nowhere'])
    assert.equal((await app.inject(url)).headers['x-frame-options'], 'DENY', url);
});

test("Host and Origin agree when one of them leaves out the scheme's default port", async (t) => {
  const { app } = testApp(t);
  for (const [host, origin] of [
    ['localhost:80', 'http://localhost'],
    ['localhost', 'http://localhost:80'],
    ['localhost', 'https://localhost'],
  ])
    assert.equal(
      (await app.inject({ url: '/health', headers: { host, origin } })).statusCode,
      200,
      `${host} ${origin}`,
    );
});

const TOKEN = '0123456789abcdef';
const TOKENS: [name: string, authorization: string | undefined, status: number][] = [
  ['the right token', `Bearer ${TOKEN}`, 200],
  ['the right token and the scheme in lower case', `bearer ${TOKEN}`, 200],
  ['no token', undefined, 401],
  ['a wrong token', 'Bearer 0123456789abcdeg', 401],
  ['a truncated token', 'Bearer 0123456789abcde', 401],
  ['a longer token', `Bearer ${TOKEN}0`, 401],
  ['an empty token', 'Bearer ', 401],
  ['the right token in another scheme', `Basic ${TOKEN}`, 401],
];

for (const [name, authorization, status] of TOKENS) {
  test(`a write with ${name} is answered with ${status}`, async (t) => {
    const { post, written } = testApp(t, { token: TOKEN });
    const answer = await post({ level: 'raw', msg: 'x', target: 'out' }, { ...(authorization && { authorization }) });
    assert.equal(answer.statusCode, status);
    assert.equal(answer.headers['www-authenticate'], status === 401 ? 'Bearer' : undefined);
    assert.equal(written().length, status === 200 ? 1 : 0);
  });
}

test('every route but /health needs a token, and a token in the URL does not count', async (t) => {
  const { app } = testApp(t, { token: TOKEN });
  for (const url of [`/levels?token=${TOKEN}`, '/levels', '/targets', '/events', '/openapi.yaml', '/docs', '/nowhere'])
    assert.equal((await app.inject(url)).statusCode, 401, url);
  assert.equal((await app.inject('/health')).statusCode, 200);
});

// The page's files, and its login: the service gives a cookie in exchange for the token.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import type { Problem } from '../../../src/protocol/problem.js';
import { listen, type TestApp, testApp } from '../../support/app.js';

const TOKEN = 'a-token-for-this-test';
const HOST = 'localhost:8080';

const logIn = ({ app }: TestApp, token: unknown, headers: Record<string, string> = {}) =>
  app.inject({ method: 'POST', url: '/login', headers: { host: HOST, ...headers }, payload: { token } });

/** Returns the answer's cookie as `name=value`, as a browser sends it. */
const cookieOf = ({ headers }: { headers: Record<string, unknown> }): string =>
  `${headers['set-cookie']}`.split(';', 1)[0] as string;

/** Returns the status of GET /levels with a cookie. */
const statusWith = async ({ app }: TestApp, cookie: string, host = HOST): Promise<number> =>
  (await app.inject({ url: '/levels', headers: { host, cookie } })).statusCode;

test("the page's files need no token, and their policy keeps everything else out of the page", async (t) => {
  const { app } = testApp(t, { token: TOKEN });
  for (const [url, type] of [
    ['/', 'text/html'],
    ['/main.js', 'application/javascript'],
    ['/style.css', 'text/css'],
    ['/worker.js', 'application/javascript'],
    ['/vendor/uplot.css', 'text/css'],
  ] as const) {
    const { statusCode, headers } = await app.inject(url);
    assert.equal(statusCode, 200, url);
    assert.ok(
      `${headers['content-type']}`.replace('text/java', 'application/java').startsWith(type),
      `${headers['content-type']}`,
    );
    const policy = `${headers['content-security-policy']}`;
    assert.match(policy, /default-src 'self'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe|http:|\*/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['strict-transport-security'], undefined);
  }
  assert.equal((await app.inject('/../package.json')).statusCode, 401);
  assert.equal((await app.inject('/%2e%2e/package.json')).statusCode, 401);
  assert.equal(
    (await app.inject('/levels')).headers['content-security-policy'],
    undefined,
    'answers for programs need no policy',
  );
});

test('the right token gives a cookie that opens every route, and the stream', async (t) => {
  const app = testApp(t, { token: TOKEN });
  const answer = await logIn(app, TOKEN);
  assert.equal(answer.statusCode, 204);
  assert.match(
    `${answer.headers['set-cookie']}`,
    /^syswire-8080=\d+-[\da-f]{16}\.[\da-f]{64}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
  );
  assert.equal(await statusWith(app, cookieOf(answer)), 200);
  assert.equal(await statusWith(app, `a=b; ${cookieOf(answer)}; c=d`), 200);
  const url = await listen(app.app);
  const own = await logIn(app, TOKEN, { host: new URL(url).host });
  const open = new WebSocket(`${url.replace('http', 'ws')}/events`, { headers: { cookie: cookieOf(own) } });
  t.after(() => open.terminate());
  await once(open, 'message');
});

test('a cookie that the service did not make opens no route', async (t) => {
  const app = testApp(t, { token: TOKEN });
  const good = cookieOf(await logIn(app, TOKEN));
  const [, expires, signature] = /=([\w-]+)\.(\w+)$/.exec(good) as unknown as [string, string, string];
  const other = cookieOf(await logIn(testApp(t, { token: TOKEN }), TOKEN));
  const last = signature.endsWith('0') ? '1' : '0';
  for (const cookie of [
    '',
    'syswire-8080=',
    `syswire-8080=${expires}.${signature.slice(0, -1)}`,
    `syswire-8080=${expires}.${signature.slice(0, -1)}${last}`,
    `syswire-8080=${Number.parseInt(expires, 10) + 1}${expires.slice(expires.indexOf('-'))}.${signature}`,
    `syswire-8081=${expires}.${signature}`,
    other,
  ])
    assert.equal(await statusWith(app, cookie), 401, cookie);
  assert.equal(await statusWith(app, good, 'localhost:8081'), 401, "a cookie for another service's port");
  assert.equal(await statusWith(app, good), 200);
  const wrong = { host: HOST, cookie: good, authorization: 'Bearer another-token-16' };
  assert.equal(
    (await app.app.inject({ url: '/levels', headers: wrong })).statusCode,
    401,
    'a good cookie does not make up for a wrong token',
  );
});

test('a cookie of the same name that another service set for a longer path does not log out', async (t) => {
  const app = testApp(t, { token: TOKEN });
  const good = cookieOf(await logIn(app, TOKEN));
  const tossed = 'syswire-8080=tossed';
  assert.equal(await statusWith(app, `${tossed}; ${good}`), 200);
  assert.equal(await statusWith(app, `${good}; ${tossed}`), 200);
  assert.equal(await statusWith(app, `${tossed}; ${tossed}`), 401);
});

test('a cookie is valid for twelve hours', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const app = testApp(t, { token: TOKEN });
  const cookie = cookieOf(await logIn(app, TOKEN));
  t.mock.timers.tick(11.9 * 3_600_000);
  assert.equal(await statusWith(app, cookie), 200);
  t.mock.timers.tick(0.2 * 3_600_000);
  assert.equal(await statusWith(app, cookie), 401);
});

test('a cookie does not help a request from another site', async (t) => {
  const app = testApp(t, { token: TOKEN });
  const cookie = cookieOf(await logIn(app, TOKEN));
  const { statusCode } = await app.post(
    { level: 'raw', msg: 'x', target: 'out' },
    { host: HOST, cookie, origin: 'http://localhost:1' },
  );
  assert.equal(statusCode, 403);
  assert.equal(app.written().length, 0);
  assert.equal((await logIn(app, TOKEN, { origin: 'http://evil.example' })).statusCode, 403);
});

test('wrong tokens are answered late, one a second, and the right one at once', async (t) => {
  const app = testApp(t, { token: TOKEN });
  // Listening keeps the process alive; the timer behind a wrong token does not.
  await listen(app.app);
  const before = performance.now();
  const wrong = [1, 2].map(async () => {
    const answer = await logIn(app, 'another-token-16');
    assert.deepEqual([answer.statusCode, answer.headers['set-cookie']], [401, undefined]);
    return performance.now() - before;
  });
  assert.equal((await logIn(app, TOKEN)).statusCode, 204);
  assert.ok(performance.now() - before < 900);
  const [first, second] = (await Promise.all(wrong)) as [number, number];
  assert.ok(first > 990 && second > 1980, `${first} ms, ${second} ms`);
});

test('an eleventh wrong token at the same time is a 503', async (t) => {
  const app = testApp(t, { token: TOKEN });
  await listen(app.app);
  const answers = Array.from({ length: 10 }, async () => await logIn(app, 'wrong'));
  const { statusCode, headers } = await logIn(app, 'wrong');
  assert.deepEqual([statusCode, headers['retry-after']], [503, '10']);
  assert.equal((await logIn(app, TOKEN)).statusCode, 204, 'the right token is still accepted');
  // The other answers come within ten seconds or when the app is closed; the test does not wait for them.
  void Promise.allSettled(answers);
});

for (const [name, body] of Object.entries({
  'no token': {},
  'a number as token': { token: 1 },
  'a field besides the token': { token: TOKEN, more: 1 },
})) {
  test(`a login with ${name} is a 400`, async (t) => {
    const { app } = testApp(t, { token: TOKEN });
    const answer = await app.inject({ method: 'POST', url: '/login', payload: body });
    assert.equal(answer.statusCode, 400);
    assert.ok(answer.json<Problem>().errors);
  });
}

test('a logout makes the cookie invalid, and a service without a token needs no login', async (t) => {
  const app = testApp(t, { token: TOKEN });
  const out = await app.app.inject({ method: 'POST', url: '/logout', headers: { host: HOST } });
  assert.deepEqual(
    [out.statusCode, out.headers['set-cookie']],
    [204, 'syswire-8080=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict'],
  );
  assert.equal((await app.app.inject('/health')).json().token, true);
  const [mine, yours] = [cookieOf(await logIn(app, TOKEN)), cookieOf(await logIn(app, TOKEN))];
  await app.app.inject({ method: 'POST', url: '/logout', headers: { host: HOST, cookie: mine } });
  assert.equal(await statusWith(app, mine), 401, 'a copy of the cookie is invalid too');
  assert.equal(await statusWith(app, yours), 200);
  const open = testApp(t);
  assert.equal((await open.app.inject('/health')).json().token, false);
  assert.equal((await open.app.inject('/levels')).statusCode, 200);
});

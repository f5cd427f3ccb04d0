// POST /write makes one call, and refuses bad requests before any call.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WriteResult } from '../../../src/protocol/calls.js';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import type { Problem } from '../../../src/protocol/problem.js';
import { levels } from '../../../src/syscalls/index.js';
import { testApp } from '../../support/app.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
const good = { level: 'raw', msg: 'x', target: 'out' };

for (const level of LEVELS) {
  test(`a write at ${level} writes its bytes, and the answer reports them`, async (t) => {
    const { post, written } = testApp(t);
    const answer = await post({ level, msg: 'Grüße 🌍\n', target: 'out' }, { 'x-request-id': 'mine-1.a_B' });
    const { durationNs, ...result } = answer.json<WriteResult>();
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(result, {
      requestId: 'mine-1.a_B',
      level,
      target: 'out',
      requested: 13,
      written: 13,
      error: null,
      calls: 1,
      seq: 1,
    });
    assert.ok(Number.isInteger(durationNs) && durationNs > 0);
    assert.equal(answer.headers['x-request-id'], 'mine-1.a_B');
    await post({ level, msg: Buffer.from([0, 255, 254, 10]).toString('base64'), encoding: 'base64', target: 'out' });
    assert.deepEqual(written(), Buffer.concat([Buffer.from('Grüße 🌍\n'), Buffer.from([0, 255, 254, 10])]));
  });

  test(`an empty message at ${level} is still one call`, async (t) => {
    const { post } = testApp(t);
    const { requested, written, error, calls } = (await post({ level, msg: '', target: 'out' })).json<WriteResult>();
    assert.deepEqual({ requested, written, error, calls }, { requested: 0, written: 0, error: null, calls: 1 });
  });

  test(`the operating system's refusal of a write at ${level} is a result in a 200`, async (t) => {
    const { post } = testApp(t);
    const answer = await post({ level, msg: 'x', target: 'full' });
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(answer.json<WriteResult>().error, {
      code: 'ENOSPC',
      errno: 28,
      message: 'No space left on device',
    });
  });
}

test('an invalid request id is replaced', async (t) => {
  const { post } = testApp(t);
  for (const id of ['', 'a b', 'x'.repeat(65), 'ü']) {
    const { requestId } = (await post(good, { 'x-request-id': id })).json<WriteResult>();
    assert.match(requestId, /^[\da-f]{8}-\d+$/);
  }
});

type Refused = {
  body: object | string | Buffer;
  headers?: Record<string, string>;
  status: number;
  pointer?: string;
  says: RegExp;
};

const bytesOf = (text: string): Buffer => Buffer.from(text);

const REFUSED: Record<string, Refused> = {
  'no body': { body: '', status: 400, says: /empty/ },
  'a line feed inside a text': {
    body: '{"level":"raw","msg":"hi\n","target":"out"}',
    status: 400,
    says: /^the body is not JSON from character 25 on: a line feed inside a text must be written \\n$/,
  },
  'a comma at the end': {
    body: '{"level":"raw","msg":"hi","target":"out",\n}',
    status: 400,
    says: /^the body is not JSON from character 43 on: remove the comma before }$/,
  },
  'single quotes': {
    body: "{'level':'raw','msg':'hi','target':'out'}",
    status: 400,
    says: /^the body is not JSON from character 2 on: names and texts stand in double quotes, and commas/,
  },
  'a body that is not JSON': { body: '{"level":', status: 400, says: /not JSON/ },
  "a body that is not JSON and has the words of V8's message": {
    body: 'JSON at position 77',
    status: 400,
    says: /^the body is not JSON: send an object, with its names and texts in double quotes$/,
  },
  'JSON that is not an object': {
    body: '[]',
    status: 400,
    pointer: '#',
    says: /^the body must be an object, not a list$/,
  },
  'a byte order mark': {
    body: bytesOf('\ufeff{"level":"raw","msg":"x","target":"out"}'),
    status: 400,
    says: /not JSON/,
  },
  'another content type': {
    body: 'level=raw',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    status: 415,
    says: /application\/json/,
  },
  'no content type': {
    body: bytesOf(JSON.stringify(good)),
    headers: { 'content-type': '' },
    status: 415,
    says: /application\/json/,
  },
  'an unknown key': { body: { ...good, mesage: 'x' }, status: 400, pointer: '#/mesage', says: /leave it out/ },
  'a key named __proto__': {
    body: '{"level":"raw","msg":"x","target":"out","__proto__":{"level":"os"}}',
    status: 400,
    pointer: '#/__proto__',
    says: /leave it out/,
  },
  'no level': {
    body: { msg: 'x', target: 'out' },
    status: 400,
    pointer: '#/level',
    says: /^level is missing: use raw, int80, uring, os or std$/,
  },
  'an unknown level': {
    body: { ...good, level: 'RAW' },
    status: 400,
    pointer: '#/level',
    says: /^level 'RAW' is unknown: use raw, int80, uring, os or std; did you mean raw\?$/,
  },
  'no msg': {
    body: { level: 'raw', target: 'out' },
    status: 400,
    pointer: '#/msg',
    says: /^msg is missing: give the text to write$/,
  },
  'a msg that is a number': {
    body: { ...good, msg: 1 },
    status: 400,
    pointer: '#/msg',
    says: /^msg must be text, not a number$/,
  },
  'a msg of null': {
    body: { ...good, msg: null },
    status: 400,
    pointer: '#/msg',
    says: /^msg must be text, not null$/,
  },
  'a lone surrogate': {
    body: '{"level":"raw","msg":"\\ud800","target":"out"}',
    status: 400,
    pointer: '#/msg',
    says: /lone surrogate/,
  },
  'a body that is not UTF-8': {
    body: Buffer.concat([bytesOf('{"level":"raw","target":"out","msg":"'), Buffer.from([0xff]), bytesOf('"}')]),
    status: 400,
    says: /not valid UTF-8/,
  },
  'half a character at the end of msg': {
    body: Buffer.concat([bytesOf('{"level":"raw","target":"out","msg":"'), Buffer.from([0xe4, 0xb8]), bytesOf('"}')]),
    status: 400,
    says: /not valid UTF-8/,
  },
  'an unknown target': {
    body: { ...good, target: 'printer' },
    status: 404,
    pointer: '#/target',
    says: /^there is no target 'printer': GET \/targets lists them; start the service with --target printer=PATH to add it$/,
  },
  'a mistyped target': {
    body: { ...good, target: 'oyt' },
    status: 404,
    pointer: '#/target',
    says: /^there is no target 'oyt': did you mean 'out'\? GET \/targets lists them; start the/,
  },
  'a target that is a path': {
    body: { ...good, target: '/etc/passwd' },
    status: 400,
    pointer: '#/target',
    says: /^target '\/etc\/passwd' is not a target name: use 1 to 64 letters/,
  },
  'a target named __proto__': {
    body: { ...good, target: '__proto__' },
    status: 404,
    pointer: '#/target',
    says: /no target/,
  },
  'an unknown encoding': {
    body: { ...good, encoding: 'hex' },
    status: 400,
    pointer: '#/encoding',
    says: /^encoding 'hex' is unknown: use utf8 or base64$/,
  },
  'base64 with a stray character': {
    body: { ...good, encoding: 'base64', msg: 'aGk!' },
    status: 400,
    pointer: '#/msg',
    says: /not base64/,
  },
  'base64 without padding': {
    body: { ...good, encoding: 'base64', msg: 'aGk' },
    status: 400,
    pointer: '#/msg',
    says: /padding/,
  },
  'base64 in the alphabet for URLs': {
    body: { ...good, encoding: 'base64', msg: '-_-_' },
    status: 400,
    pointer: '#/msg',
    says: /standard alphabet/,
  },
  'a negative timeoutMs': {
    body: { ...good, timeoutMs: -1 },
    status: 400,
    pointer: '#/timeoutMs',
    says: /^timeoutMs must be at least 0, not -1$/,
  },
  'a timeoutMs with a fraction': {
    body: { ...good, timeoutMs: 0.5 },
    status: 400,
    pointer: '#/timeoutMs',
    says: /^timeoutMs must be a whole number, not 0\.5$/,
  },
  'a timeoutMs as text': {
    body: { ...good, timeoutMs: '5' },
    status: 400,
    pointer: '#/timeoutMs',
    says: /^timeoutMs must be a number, not text$/,
  },
  'a timeoutMs over the limit': {
    body: { ...good, timeoutMs: 60_001 },
    status: 400,
    pointer: '#/timeoutMs',
    says: /^timeoutMs must be at most 60,000, not 60,001$/,
  },
  'an infinite timeoutMs': {
    body: '{"level":"raw","msg":"x","target":"out","timeoutMs":1e400}',
    status: 400,
    pointer: '#/timeoutMs',
    says: /^timeoutMs has too many digits: give a smaller number$/,
  },
  'a body over the limit': {
    body: { ...good, msg: 'x'.repeat(5000) },
    status: 413,
    says: /limit of 4096 bytes.*--body-limit/,
  },
};

for (const [name, { body, headers, status, pointer, says }] of Object.entries(REFUSED)) {
  test(`a request with ${name} is a ${status}, and makes no call`, async (t) => {
    const { app, post, written } = testApp(t, { bodyLimit: 4096 });
    const answer = await post(body, headers);
    const problem = answer.json<Problem>();
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.equal(problem.status, status);
    assert.equal(answer.statusCode, status);
    assert.match(problem.detail, says);
    assert.equal(problem.requestId, answer.headers['x-request-id']);
    if (pointer)
      assert.deepEqual(
        problem.errors?.map((error) => error.pointer),
        [pointer],
      );
    assert.equal(written().length, 0, 'nothing was written');
    assert.equal((await app.inject('/health')).json().next, 1, 'no call was recorded');
  });
}

test('a refusal names every field at fault, not only the first', async (t) => {
  const { post } = testApp(t);
  const { errors } = (await post({ level: 'x', msg: 1, timeoutMs: -1, more: 1, less: 2 })).json<Problem>();
  assert.deepEqual(errors?.map(({ pointer }) => pointer).sort(), [
    '#/less',
    '#/level',
    '#/more',
    '#/msg',
    '#/timeoutMs',
  ]);
});

test('another method is a 405 that names the right one, and another path is a 404', async (t) => {
  const { app } = testApp(t);
  const wrong = await app.inject({ method: 'GET', url: '/write' });
  assert.deepEqual([wrong.statusCode, wrong.headers.allow], [405, 'POST']);
  const missing = await app.inject({ method: 'GET', url: '/wirte' });
  assert.deepEqual([missing.statusCode, missing.headers['content-type']], [404, 'application/problem+json']);
  assert.equal(missing.json().detail, "there is nothing at '/wirte': did you mean /write? /docs lists the paths");
});

test('a 404 names the nearest path, and cuts a long one', async (t) => {
  const { app } = testApp(t);
  for (const [url, detail] of [
    ['/write/', "there is nothing at '/write/': did you mean /write? /docs lists the paths"],
    ['/event?since=1', "there is nothing at '/event': did you mean /events? /docs lists the paths"],
    ['/favicon.ico', "there is nothing at '/favicon.ico': /docs lists the paths"],
    [`/${'x'.repeat(5000)}`, `there is nothing at '/${'x'.repeat(63)}…': /docs lists the paths`],
  ] as const)
    assert.equal((await app.inject({ method: 'POST', url })).json().detail, detail);
});

test('a URL that cannot be decoded is a problem', async (t) => {
  const { app } = testApp(t);
  const answer = await app.inject({ method: 'GET', url: '/%zz' });
  assert.deepEqual([answer.statusCode, answer.headers['content-type']], [400, 'application/problem+json']);
});

test('the refusal of a body with 50,000 faults names 20 of them', async (t) => {
  const { post } = testApp(t);
  const body = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`key${index}`, 1]));
  const answer = await post({ ...good, ...body });
  assert.equal(answer.json<Problem>().errors?.length, 20);
  assert.match(answer.json<Problem>().detail, /and 49980 more$/);
});

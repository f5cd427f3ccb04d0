// The messages about a wrong body or query: the field, its fault and the remedy in plain words, for every
// field of every request, and never zod's words or a token.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { LightMyRequestResponse } from 'fastify';
import { parse } from 'yaml';
import { z } from 'zod';
import { BurstRequest, WriteRequest, WritesRequest } from '../../../src/protocol/calls.js';
import { faultsOf } from '../../../src/protocol/messages.js';
import type { Problem } from '../../../src/protocol/problem.js';
import { EventsQuery } from '../../../src/protocol/records.js';
import { LoginRequest } from '../../../src/protocol/service.js';
import { type TestApp, testApp } from '../../support/app.js';

const write = { level: 'raw', msg: 'x', target: 'out', encoding: 'utf8', timeoutMs: 0, witness: false };

type Json = Record<string, unknown>;
/** A request whose fields are spoilt one by one. */
type Subject = {
  shape: z.ZodObject;
  /** A good one, with every field. */
  good: Json;
  send: (app: TestApp, value: unknown) => Promise<LightMyRequestResponse>;
  /** Returns a field's pointer and name. */
  at: (field: string) => { pointer: string; name: string };
};

const body = (url: string) => (app: TestApp, value: unknown) => app.post(JSON.stringify(value), {}, url);
const atTop = (field: string) => ({ pointer: `#/${field}`, name: field });

const SUBJECTS: Record<string, Subject> = {
  'POST /write': { shape: WriteRequest, good: write, send: body('/write'), at: atTop },
  'POST /writes': { shape: WritesRequest, good: { writes: [write] }, send: body('/writes'), at: atTop },
  'POST /writes, its second write': {
    shape: WriteRequest,
    good: write,
    send: (app, value) => body('/writes')(app, { writes: [write, value] }),
    at: (field) => ({ pointer: `#/writes/1/${field}`, name: `writes[1].${field}` }),
  },
  'POST /bursts': {
    shape: BurstRequest,
    good: { level: 'raw', msg: 'x', target: 'out', encoding: 'utf8', count: 1, ratePerSecond: 1000, witness: false },
    send: body('/bursts'),
    at: atTop,
  },
  'POST /login': { shape: LoginRequest, good: { token: 'x' }, send: body('/login'), at: atTop },
  'GET /events': {
    shape: EventsQuery,
    good: { since: '1', limit: '1', level: 'raw', target: 'out', requestId: 'x', errors: '1' },
    send({ app }, value) {
      const pairs = Object.entries(value as Json).flatMap(([key, one]) =>
        [one].flat().map((each): [string, string] => [key, `${each}`]),
      );
      return app.inject(`/events?${new URLSearchParams(pairs)}`);
    },
    at: (field) => ({ pointer: `?${field}`, name: field }),
  },
};

const WRONG: unknown[] = [
  ...[null, true, 0, -1, 0.5, 2 ** 53, -(2 ** 60), 1e300],
  ...['', '-1', 'RAW', 'a/b', '\ud800', '\u001b[31m\u202e', 'x'.repeat(5000), '9'.repeat(30)],
  ...[[], [1, 2], {}, { msg: 1 }],
];

/** Words of zod, of its English messages, and of JavaScript's types. */
const JARGON =
  /invalid|expected|received|too (small|big)|unrecognized|option|character\(s\)|>=|<=|string|boolean|array|undefined|NaN|zod|regex|pattern/i;
const REMEDY = /\b(use|give|send|leave|must|ask|lists them)\b/;

function checkWords(answer: LightMyRequestResponse, sent: string): NonNullable<Problem['errors']> {
  const { detail, errors = [] } = answer.json<Problem>();
  assert.ok(errors.length > 0, `${sent}: ${detail}`);
  for (const text of [detail, ...errors.map((error) => error.detail)]) {
    assert.doesNotMatch(text, JARGON, sent);
    assert.match(text, REMEDY, sent);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what must not be there
    assert.doesNotMatch(text, /[\u0000-\u001f\u202e]/, sent);
    assert.ok(text.length < 300, `${text.length} characters: ${text}`);
  }
  return errors;
}

for (const [name, { shape, good, send, at }] of Object.entries(SUBJECTS)) {
  test(`${name}: each wrong field is named, with its fault and the remedy in plain words`, async (t) => {
    const app = testApp(t);
    if (name.startsWith('POST')) assert.deepEqual(Object.keys(good).sort(), Object.keys(shape.shape).sort());
    assert.ok((await send(app, good)).statusCode < 300, 'the good one is accepted');
    for (const field of Object.keys(shape.shape)) {
      let refused = 0;
      const { [field]: _, ...without } = good;
      for (const value of [without, ...WRONG.map((wrong) => ({ ...good, [field]: wrong }))]) {
        const answer = await send(app, value);
        if (answer.statusCode !== 400 && answer.statusCode !== 404) continue;
        refused += 1;
        const sent = `${name} ${JSON.stringify(value).slice(0, 200)}: ${answer.body}`;
        const errors = checkWords(answer, sent);
        const mine = errors.filter(
          ({ pointer }) => pointer === at(field).pointer || pointer.startsWith(`${at(field).pointer}/`),
        );
        assert.deepEqual(mine, errors, sent);
        if (mine[0]?.pointer === at(field).pointer && answer.statusCode === 400)
          assert.ok(mine[0].detail.startsWith(`${at(field).name} `), sent);
      }
      assert.ok(refused >= 1, `${refused} wrong values of ${field} were refused`);
      t.diagnostic(`${field}: ${refused} of ${WRONG.length + 1} values refused`);
    }
    const [{ pointer, detail } = assert.fail()] = checkWords(await send(app, { ...good, colour: 1 }), name);
    assert.equal(pointer, at('colour').pointer);
    assert.match(detail, /^'colour' (in writes\[1\] )?is unknown: leave it out, or use /);
  });
}

test('the subjects above are all requests of openapi.yaml that have a body or a query', async (t) => {
  const { app } = testApp(t);
  const { paths } = parse((await app.inject('/openapi.yaml')).body) as {
    paths: Record<string, Record<string, { requestBody?: object; parameters?: { in?: string }[] }>>;
  };
  const all = Object.entries(paths).flatMap(([url, methods]) =>
    Object.entries(methods)
      .filter(([, { requestBody, parameters = [] }]) => requestBody || parameters.some((one) => one.in === 'query'))
      .map(([method]) => `${method.toUpperCase()} ${url}`),
  );
  assert.deepEqual(new Set(Object.keys(SUBJECTS).map((name) => name.split(',', 1)[0])), new Set(all));
});

const EXACT: [name: string, url: string, body: unknown, pointer: string, detail: string][] = [
  ['a number', '/write', 7, '#', 'the body must be an object, not a number'],
  ['true', '/write', true, '#', 'the body must be an object, not true'],
  [
    'a write that is a number',
    '/writes',
    { writes: [write, 7] },
    '#/writes/1',
    'writes[1] must be an object, not a number',
  ],
  [
    'no msg in the second write',
    '/writes',
    { writes: [write, { level: 'os' }] },
    '#/writes/1/msg',
    'writes[1].msg is missing: give the text to write',
  ],
  ['no writes', '/writes', { writes: [] }, '#/writes', 'writes must have at least 1 entry, not 0'],
  [
    'too many writes',
    '/writes',
    { writes: Array(10_001).fill(write) },
    '#/writes',
    'writes must have at most 10,000 entries, not 10,001',
  ],
  ['no count', '/bursts', { level: 'os', msg: '' }, '#/count', 'count is missing: give the number of calls'],
  [
    'a count beyond whole numbers',
    '/bursts',
    { level: 'os', msg: '', count: 2 ** 60 },
    '#/count',
    'count must be at most 10,000,000, not 1,152,921,504,606,847,000',
  ],
  [
    'a level far from all',
    '/write',
    { ...write, level: 'fast' },
    '#/level',
    "level 'fast' is unknown: use raw, int80, uring, os or std",
  ],
  [
    'a level that is a list',
    '/write',
    { ...write, level: ['raw'] },
    '#/level',
    'level must be text, not a list: use raw, int80, uring, os or std',
  ],
  [
    'a key with a slash',
    '/write',
    { ...write, 'a/b~c': 1 },
    '#/a~1b~0c',
    "'a/b~c' is unknown: leave it out, or use level, msg, target, encoding, witness or timeoutMs",
  ],
  [
    'a long value',
    '/write',
    { ...write, encoding: 'é'.repeat(1000) },
    '#/encoding',
    `encoding '${'é'.repeat(32)}…' is unknown: use utf8 or base64`,
  ],
  [
    'a value that acts on a terminal',
    '/write',
    { ...write, level: 'r\u001b[31m\u202e' },
    '#/level',
    "level 'r\\x1b[31m\\u202e' is unknown: use raw, int80, uring, os or std",
  ],
];

for (const [name, url, sent, pointer, detail] of EXACT) {
  test(`${url} with ${name}: ${detail}`, async (t) => {
    const answer = await body(url)(testApp(t), sent);
    assert.deepEqual([answer.statusCode, answer.json().errors], [400, [{ pointer, detail }]]);
    assert.equal(answer.json().detail, detail);
  });
}

test('behind a question there is no semicolon', async (t) => {
  const { detail } = (await testApp(t).post({ writes: [{ level: 'RAW' }] }, {}, '/writes')).json<Problem>();
  assert.match(detail, /; did you mean raw\? writes\[0\]\.msg is missing: give the text to write$/);
});

test('a parameter that is given twice', async (t) => {
  for (const query of ['since=1&since=2', 'level=raw&level=os', 'errors=1&errors=1']) {
    const { detail } = (await testApp(t).app.inject(`/events?${query}`)).json<Problem>();
    assert.equal(detail, `${query.split('=', 1)[0]} is given 2 times: give it once`);
  }
});

test('a union that nothing fits names what it may be, and a form without words of its own a remedy', () => {
  const shape = z.strictObject({ either: z.union([z.string(), z.number()]), date: z.iso.date().optional() });
  assert.deepEqual(faultsOf(shape, { either: true, date: 'x' }, false, 9).errors, [
    { pointer: '#/either', detail: 'either must be text, not true, or must be a number, not true' },
    { pointer: '#/date', detail: 'date has a form that is not allowed: GET /openapi.yaml describes it' },
  ]);
});

const SECRET = 'a-token-that-nobody-may-read';

async function textsWithSecret(t: TestContext): Promise<string[]> {
  const app = testApp(t, { token: SECRET });
  const login = (payload: string) => app.post(payload, {}, '/login');
  const bodies = [
    ...[{ token: [SECRET] }, { token: { [SECRET]: 1 } }, { token: SECRET.repeat(200) }, { token: SECRET, more: 1 }],
    ...[SECRET, [SECRET]],
  ].map((value) => JSON.stringify(value));
  const broken = [
    `token=${SECRET}`,
    `{"token":"${SECRET}`,
    `{"token":${SECRET}}`,
    `${SECRET}`,
    `{"token":"${SECRET}"}}`,
  ];
  const answers = await Promise.all([...bodies, ...broken].map(login));
  answers.push(await app.app.inject(`/events?token=${SECRET}`));
  const headers = { authorization: `Bearer ${SECRET}` };
  answers.push(await app.app.inject({ url: `/events?token=${SECRET}&since=x`, headers }));
  for (const { statusCode } of answers) assert.ok(statusCode === 400 || statusCode === 401, `${statusCode}`);
  return answers.map((answer) => answer.body);
}

test('no answer repeats a token, whatever is wrong with the request around it', async (t) => {
  for (const text of await textsWithSecret(t)) assert.doesNotMatch(text, /nobody|a-token/, text);
});

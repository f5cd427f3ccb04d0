// Random requests: valid ones, nearly valid ones, and arbitrary ones.
import fc from 'fast-check';
import { LEVEL_IDS } from '../../../src/protocol/names.js';
import { PATHS } from './contract.js';

export type Request = {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: Buffer | null;
};

/** The service's limit of a body, in bytes: small, so that some bodies exceed it. */
export const BODY_LIMIT = 100_000;

const text = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 200 }) },
  // UTF-16 code units, so that some are lone surrogates.
  {
    weight: 1,
    arbitrary: fc
      .array(fc.integer({ min: 0xd700, max: 0xe0ff }), { maxLength: 3 })
      .map((units) => String.fromCharCode(...units)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.string({ minLength: 1, maxLength: 3 }), fc.nat(40_000))
      .map(([part, times]) => part.repeat(times)),
  },
);
const base64 = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes).toString('base64')) },
  { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
);

const level = fc.constantFrom(...LEVEL_IDS);
const target = (names: string[]) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('out', 'pipe') },
    { weight: 3, arbitrary: fc.constantFrom(...names) },
    { weight: 1, arbitrary: fc.constantFrom('nobody', '', '__proto__', 'a/b', 'x'.repeat(65)) },
  );

const message = (names: string[]) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ level, target: target(names), msg: text }) },
    {
      weight: 1,
      arbitrary: fc.record({ level, target: target(names), msg: base64, encoding: fc.constant('base64') }),
    },
  );
const timeoutMs = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 20 }) },
);

/** Half of the requests have the field; a third of them asks for a witness. */
const witness = fc.constantFrom(undefined, undefined, undefined, false, true, true);

const write = (names: string[]) =>
  fc.tuple(message(names), fc.option(timeoutMs, { nil: undefined }), witness).map(([part, wait, isWitnessed]) => ({
    ...part,
    ...(wait !== undefined && { timeoutMs: wait }),
    ...(isWitnessed !== undefined && { witness: isWitnessed }),
  }));
const writes = (names: string[]) => fc.record({ writes: fc.array(write(names), { maxLength: 5 }) });
const burst = (names: string[]) =>
  fc
    .tuple(
      message(names),
      fc.integer({ min: 1, max: 50 }),
      fc.option(fc.integer({ min: 10_000, max: 10_000_000 }), { nil: undefined }),
      witness,
    )
    .map(([part, count, ratePerSecond, isWitnessed]) => ({
      ...part,
      count,
      ...(ratePerSecond && { ratePerSecond }),
      ...(isWitnessed !== undefined && { witness: isWitnessed }),
    }));

/** Values that a client may send by mistake. None of them asks for a long wait or a long burst. */
const WRONG: unknown[] = [
  null,
  true,
  0,
  -1,
  1e-9,
  1e308,
  2 ** 53,
  '',
  'raw',
  'RAW',
  '0',
  'constructor',
  '\ud800',
  [],
  [[]],
  {},
  { length: 1 },
];

type Json = Record<string, unknown>;

/** Replaces a value, adds a key, removes a key, or wraps a value. */
const spoil = (value: Json, wrong: unknown, at: number, how: number): Json => {
  const keys = Object.keys(value);
  const key = keys[at % Math.max(1, keys.length)] ?? 'msg';
  if (how === 0) return { ...value, [key]: wrong };
  if (how === 1) return { ...value, [`${wrong}`]: wrong };
  if (how === 2) return Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));
  const inner = value[key];
  return Array.isArray(inner) && inner.length > 0
    ? { ...value, [key]: inner.with(at % inner.length, wrong) }
    : { ...value, [key]: [inner] };
};
const wrong = (right: fc.Arbitrary<Json>) =>
  fc.tuple(right, fc.constantFrom(...WRONG), fc.nat(5), fc.nat(3)).map((parts) => spoil(...parts));

const json = (right: fc.Arbitrary<Json>): fc.Arbitrary<Buffer> =>
  fc
    .oneof(
      { weight: 5, arbitrary: right },
      { weight: 3, arbitrary: wrong(right) },
      { weight: 1, arbitrary: fc.jsonValue() },
    )
    .map((value) => Buffer.from(JSON.stringify(value)));

const body = (right: fc.Arbitrary<Json>): fc.Arbitrary<Buffer | null> =>
  fc.oneof(
    { weight: 12, arbitrary: json(right) },
    // With one byte changed a body may be invalid UTF-8, invalid JSON, or ask for something else.
    {
      weight: 2,
      arbitrary: fc.tuple(json(right), fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
        const changed = Buffer.from(bytes);
        changed[at % changed.length] = byte;
        return changed;
      }),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(null, Buffer.alloc(0), Buffer.from(`{"msg":"${'x'.repeat(BODY_LIMIT)}"}`)),
    },
  );

const header = fc.oneof(
  { weight: 12, arbitrary: fc.constant({}) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Record<string, string>>(
      { 'x-request-id': 'mine' },
      { 'x-request-id': 'not allowed' },
      { 'x-request-id': 'x'.repeat(65) },
      { host: 'evil.example' },
      { host: 'localhost:1' },
      { host: 'a b' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/json; charset=utf-8' },
      { 'content-type': 'application/jsonp' },
      { 'content-encoding': 'gzip' },
      { authorization: 'Bearer nobody-asked' },
      { accept: 'text/html' },
      { connection: 'close' },
      { connection: 'Upgrade', upgrade: 'h2c' },
      { cookie: 'syswire-1=1-0.0' },
    ),
  },
);

const query = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc
      .dictionary(
        fc.constantFrom('since', 'limit', 'level', 'target', 'requestId', 'errors', 'run', 'token', '__proto__'),
        fc.constantFrom(
          '1',
          '0',
          '-1',
          '10001',
          '1e3',
          'raw',
          'out',
          'full',
          'mine',
          '',
          'x'.repeat(65),
          '\u0000',
          'ü',
        ),
      )
      .map((pairs) => `?${new URLSearchParams(pairs)}`),
  },
  { weight: 1, arbitrary: fc.webQueryParameters().map((parameters) => `?${parameters}`) },
);

/** Routes that take a body, with valid bodies for each. */
const CALLS = (names: string[]): [string, fc.Arbitrary<Json>][] => [
  ['/write', write(names)],
  ['/write', write(names)],
  ['/writes', writes(names)],
  ['/bursts', burst(names)],
];
const OTHER_PATHS = fc.oneof(
  fc.constantFrom('/nowhere', '/write/', '/%zz', '/..%2f', '/health%00', '/%77rite'),
  fc.webPath().map((path) => `/nowhere${path}`),
);
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'];

/** Makes one request. @param names all targets of the service */
export function requests(names: string[]): fc.Arbitrary<Request> {
  const calls = CALLS(names).map(([path, right]) =>
    fc.record({
      method: fc.constant('POST'),
      url: fc.oneof({ weight: 9, arbitrary: fc.constant(path) }, { weight: 1, arbitrary: fc.constant(`${path}?raw`) }),
      headers: header.map((more) => ({ 'content-type': 'application/json', ...more })),
      body: body(right),
    }),
  );
  const other = fc.record({
    method: fc.oneof(
      { weight: 3, arbitrary: fc.constant('GET') },
      { weight: 1, arbitrary: fc.constantFrom(...METHODS) },
    ),
    url: fc
      .tuple(
        fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...PATHS) }, { weight: 1, arbitrary: OTHER_PATHS }),
        query,
      )
      .map(([path, text]) => path + text),
    headers: header,
    body: fc.oneof(
      { weight: 4, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: body(fc.record({ token: fc.string() })) },
    ),
  });
  return fc.oneof({ weight: 3, arbitrary: fc.oneof(...calls) }, { weight: 1, arbitrary: other });
}

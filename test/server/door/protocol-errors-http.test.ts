// HTTP that no client library sends, written by hand on a socket: every refusal is a whole problem and makes no call.
import { gzipSync } from 'node:zlib';
import { FIN } from '../../support/connection.js';
import {
  ask,
  BODY,
  BODY_LIMIT,
  CHUNKED,
  chunk,
  expectAll,
  HOST,
  JSON_TYPE,
  LAST,
  LENGTH,
  post,
  type Row,
  testTable,
} from '../../support/exchange.js';

const zipped = gzipSync(BODY);

/**
 * Where two readers disagree about a body's length, requests are smuggled.
 * https://www.rfc-editor.org/rfc/rfc9112#section-11.2
 */
const FRAMING: Record<string, Row> = {
  ...expectAll(
    { answers: [200], arrives: 'x' },
    {
      'a body with a length': post(),
      'a body in chunks': post(CHUNKED, chunk(BODY.slice(0, 9)) + chunk(BODY.slice(9)) + LAST),
      'chunks with extensions': post(CHUNKED, chunk(BODY, ';a=b;c="d"') + LAST),
      'chunks with trailers': post(CHUNKED, `${chunk(BODY)}0\r\nX-A: 1\r\n\r\n`),
      'leading zeros in a length': post(`Content-Length: 000${BODY.length}\r\n`),
    },
  ),
  ...expectAll(
    { answers: [400], closed: true },
    {
      'a length, then chunks': post(LENGTH + CHUNKED, chunk(BODY) + LAST),
      'chunks, then a length': post(CHUNKED + LENGTH, chunk(BODY) + LAST),
      'two lengths': post(`${LENGTH}Content-Length: 1\r\n`),
      'the same length twice': post(LENGTH + LENGTH),
      'a list of lengths': post(`Content-Length: ${BODY.length}, ${BODY.length}\r\n`),
      'a negative length': post('Content-Length: -1\r\n'),
      'a length with a plus': post(`Content-Length: +${BODY.length}\r\n`),
      'a length in hex': post('Content-Length: 0x27\r\n'),
      'an empty length': post('Content-Length: \r\n'),
      'a length over 64 bits': post('Content-Length: 99999999999999999999\r\n'),
      'no length': post(''),
      'a length among the trailers': post(CHUNKED, `${chunk(BODY)}0\r\nContent-Length: 1\r\n\r\n`),
      'a chunk size that is no number': post(CHUNKED, `zz\r\n${BODY}\r\n${LAST}`),
      'a negative chunk size': post(CHUNKED, `-1\r\n${BODY}\r\n${LAST}`),
      'a chunk size over 64 bits': post(CHUNKED, `fffffffffffffffff\r\n${BODY}\r\n${LAST}`),
      'a chunk longer than its size': post(CHUNKED, `5\r\n${BODY}\r\n${LAST}`),
      'chunks that do not end': [post(CHUNKED, chunk(BODY)), FIN],
      'a chunk extension of 20,000 bytes': post(CHUNKED, chunk(BODY, `;${'a'.repeat(20_000)}`) + LAST),
      'a coding that is not chunked': post('Transfer-Encoding: identity\r\n'),
      'a coding that looks like chunked': post('Transfer-Encoding: xchunked\r\n', chunk(BODY) + LAST),
      'chunked behind a control character': post('Transfer-Encoding: \x0bchunked\r\n', chunk(BODY) + LAST),
      'chunked twice': post(CHUNKED + CHUNKED, chunk(BODY) + LAST),
      'chunked before another coding': post('Transfer-Encoding: chunked, gzip\r\n', chunk(BODY) + LAST),
    },
  ),
  ...expectAll(
    { answers: [431], closed: true },
    { 'trailers that are too large': post(CHUNKED, `${chunk(BODY)}0\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`) },
  ),
  ...expectAll(
    { answers: [413], closed: true },
    {
      'a length of 64 bits': post('Content-Length: 18446744073709551615\r\n'),
      'a chunk size of 64 bits': post(CHUNKED, `ffffffffffffffff\r\n${'x'.repeat(BODY_LIMIT + 1)}`),
      'chunks over the limit': post(CHUNKED, chunk('x'.repeat(BODY_LIMIT)) + chunk('x') + LAST),
    },
  ),
  'a body that is longer than its length, with no request in the rest': {
    send: post(LENGTH, `${BODY}rest`),
    answers: [200, 400],
    closed: true,
    arrives: 'x',
  },
  'a body that is longer than its length, with a request in the rest': {
    send: post(LENGTH, BODY + ask('/health')),
    answers: [200, 200],
    arrives: 'x',
  },
  'a GET with a body': { send: ask('/health', HOST + JSON_TYPE + LENGTH) + BODY, answers: [200] },
};

const FIELDS: Record<string, Row> = {
  ...expectAll(
    { answers: [400], closed: true },
    {
      'a folded field': post(`${LENGTH}X-A: a\r\n b\r\n`),
      'a space before the colon': post(`Content-Length : ${BODY.length}\r\n`),
      'a space before the first field': ask('/health', ` ${HOST}`),
      'bare LF at the end of lines': post().replaceAll('\r\n', '\n'),
      'a bare CR between fields': ask('/health', `Host: localhost\rX-A: 1\r\n`),
      'NUL in a value': ask('/health', `${HOST}X-A: a\0b\r\n`),
      'a control character in a value': ask('/health', `${HOST}X-A: a\x01b\r\n`),
      'DEL in a value': ask('/health', `${HOST}X-A: a\x7fb\r\n`),
      'NUL in a name': ask('/health', `${HOST}X\0A: b\r\n`),
      'a field without a name': ask('/health', `${HOST}: b\r\n`),
      'a field without a colon': ask('/health', `${HOST}hello\r\n`),
    },
  ),
  ...expectAll(
    { answers: [431], closed: true },
    {
      'a field over 16 KiB': ask('/health', `${HOST}X-A: ${'a'.repeat(17 << 10)}\r\n`),
      'fields over 16 KiB': ask('/health', HOST + 'X-A: abcdefg\r\n'.repeat(2500)),
      'a target over 16 KiB': ask(`/${'a'.repeat(17 << 10)}`),
    },
  ),
  ...expectAll(
    { answers: [431], closed: true },
    {
      '201 fields': ask('/health', `${HOST}${'a:\r\n'.repeat(200)}`),
      '3000 fields': post('a:\r\n'.repeat(3000) + LENGTH),
      'an Origin behind 2500 fields': ask('/health', `${HOST}${'a:\r\n'.repeat(2500)}Origin: http://evil.example\r\n`),
      'an Origin behind an upgrade to h2c that is ignored': ask(
        '/health',
        `${HOST}Connection: Upgrade\r\n${'Upgrade: h2c\r\n'.repeat(200)}Origin: http://evil.example\r\n`,
      ),
      'a WebSocket upgrade with 201 fields': ask(
        '/events',
        `${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n${'a:\r\n'.repeat(198)}`,
      ),
    },
  ),
  ...expectAll(
    { answers: [400] },
    {
      'no Host': ask('/health', ''),
      'an empty Host': ask('/health', 'Host:\r\n'),
      'two Hosts': ask('/health', `${HOST}Host: evil.example\r\n`),
      'the same Host twice': ask('/health', HOST + HOST),
    },
  ),
  ...expectAll(
    { answers: [403] },
    {
      'an Origin behind 198 fields': ask('/health', `${HOST}${'a:\r\n'.repeat(198)}Origin: http://evil.example\r\n`),
    },
  ),
  ...expectAll(
    { answers: [415] },
    {
      'Content-Type: multipart/form-data': post().replace('application/json', 'multipart/form-data; boundary=x'),
      'Content-Type: text/plain': post().replace('application/json', 'text/plain'),
      'Content-Type: application/problem+json': post().replace('application/json', 'application/problem+json'),
      'Content-Type: application/jsonx': post().replace('application/json', 'application/jsonx'),
      'no Content-Type': post().replace(JSON_TYPE, ''),
      'Content-Type: ;;;': post().replace('application/json', ';;;'),
      'Content-Type: text/plain, and a second one with JSON': post().replace(
        JSON_TYPE,
        `Content-Type: text/plain\r\n${JSON_TYPE}`,
      ),
    },
  ),
  ...expectAll(
    { answers: [415], closed: true },
    {
      'Content-Encoding: gzip': [post(`Content-Length: ${zipped.length}\r\nContent-Encoding: gzip\r\n`, ''), zipped],
      'Content-Encoding: gzip on a body that is not gzip': post(`${LENGTH}Content-Encoding: gzip\r\n`),
    },
  ),
  ...expectAll(
    { answers: [400], closed: true },
    {
      'gzip in chunks without a Content-Encoding': [
        post(CHUNKED, `${zipped.length.toString(16)}\r\n`),
        zipped,
        `\r\n${LAST}`,
      ],
    },
  ),
  ...expectAll(
    { answers: [200], arrives: 'x' },
    {
      'Content-Encoding: identity': post(`${LENGTH}Content-Encoding: identity\r\n`),
      'Content-Type: application/json with a charset': post().replace('json\r', 'json; charset=utf-8\r'),
      'Content-Type: APPLICATION/JSON': post().replace('application/json', 'APPLICATION/JSON'),
      'a tab, and a byte above 127, in a value': Buffer.from(post(`${LENGTH}X-A: a\tb\xfc\r\n`), 'latin1'),
      '200 fields': post('a:\r\n'.repeat(197) + LENGTH),
    },
  ),
  'Expect: 100-continue': {
    send: [post(`${LENGTH}Expect: 100-continue\r\n`, ''), 1, BODY],
    answers: [100, 200],
    arrives: 'x',
  },
  'Expect: 200-ok': { send: post(`${LENGTH}Expect: 200-ok\r\n`), answers: [417] },
};

const REQUEST_LINES: Record<string, Row> = {
  ...expectAll(
    { answers: [400], closed: true },
    {
      'an unknown method': ask('/health', HOST, { method: 'FOO' }),
      'a method in lower case': ask('/health', HOST, { method: 'get' }),
      'NUL in the method': ask('/health', HOST, { method: 'GE\0T' }),
      'NUL in the target': ask('/hea\0lth'),
      'a character above 127 in the target': ask('/hé'),
      'an empty target': ask(''),
      'a target without a slash': ask('health'),
      'a target that is a query': ask('?x'),
      'a target with a backslash': ask('\\health'),
      'a target that is host:port': ask('localhost:80'),
      'tabs in place of spaces': ask('/health').replaceAll(' ', '\t'),
      'HTTP/0.9': ['GET /health\r\n', FIN],
      'HTTP/1.2': ask('/health', HOST, { version: 'HTTP/1.2' }),
      'HTTP/1.1x': ask('/health', HOST, { version: 'HTTP/1.1x' }),
      'http/1.1': ask('/health', HOST, { version: 'http/1.1' }),
      'ICY/1.1': ask('/health', HOST, { version: 'ICY/1.1' }),
      "HTTP/2's preface": 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      // https://www.rfc-editor.org/rfc/rfc8446#section-4.1.2
      "TLS's first bytes": Buffer.from(`16030100310100002d0303${'5a'.repeat(32)}000002130100000200ff`, 'hex'),
      'HTTP/1.0 without Host, from a page': ask('/health', 'Origin: http://evil.example\r\n', { version: 'HTTP/1.0' }),
    },
  ),
  ...expectAll(
    { answers: [501], closed: true },
    {
      CONNECT: ask('localhost:80', HOST, { method: 'CONNECT' }),
      'CONNECT with a body': ask('localhost:80', HOST, { method: 'CONNECT' }) + post(),
    },
  ),
  'CONNECT behind a write': {
    send: post() + ask('localhost:80', HOST, { method: 'CONNECT' }),
    answers: [200, 501],
    closed: true,
    arrives: 'x',
  },
  ...expectAll(
    { answers: [400] },
    {
      'a target that cannot be decoded': ask('/%zz'),
      'a URL of another host': ask('http://evil.example/health'),
      'a URL of another port': ask('http://localhost:81/health'),
      'the target *': ask('*'),
      'the target */health': ask('*/health'),
      'OPTIONS *': ask('*', HOST, { method: 'OPTIONS' }),
    },
  ),
  ...expectAll(
    { answers: [404] },
    {
      'two slashes before the path': ask('//health'),
      'dot segments': ask('/docs/../health'),
      'dot segments that lead above the root': ask('/docs/../../../../etc/passwd'),
      'a percent-encoded slash': ask('/%2fhealth'),
      'a slash at the end': post().replace('/write', '/write/'),
      'a path in upper case': post().replace('/write', '/WRITE'),
      'a long target': ask(`/${'a'.repeat(15 << 10)}`),
    },
  ),
  ...expectAll({ answers: [403] }, { 'percent-encoded dot segments': ask('/docs/static/%2e%2e/%2e%2e/package.json') }),
  ...expectAll(
    { answers: [405] },
    {
      TRACE: ask('/health', HOST, { method: 'TRACE' }),
      OPTIONS: ask('/write', HOST, { method: 'OPTIONS' }),
      PUT: post().replace('POST', 'PUT'),
      DELETE: post().replace('POST', 'DELETE'),
      PROPFIND: ask('/health', HOST, { method: 'PROPFIND' }),
    },
  ),
  ...expectAll(
    { answers: [200], arrives: 'x' },
    {
      'a query': post().replace('/write', '/write?x=1'),
      'a URL of this host': post().replace('/write', 'http://localhost/write'),
      'empty lines before the request': `\r\n\r\n${post()}`,
      'a percent-encoded letter': post().replace('/write', '/%77rite'),
    },
  ),
  'HEAD /health': { send: ask('/health', HOST, { method: 'HEAD' }), answers: [200], toHead: true },
  'HEAD /write': { send: ask('/write', HOST, { method: 'HEAD' }), answers: [405], toHead: true },
  // haproxy's stock health check.
  'OPTIONS in HTTP/1.0 without Host': { send: 'OPTIONS / HTTP/1.0\r\n\r\n', answers: [204], closed: true },
  'OPTIONS of what can be read': { send: ask('/health', HOST, { method: 'OPTIONS' }), answers: [204] },
  'GET in HTTP/1.0 without Host': { send: ask('/health', '', { version: 'HTTP/1.0' }), answers: [200], closed: true },
  'HTTP/1.0': { send: ask('/health', HOST, { version: 'HTTP/1.0' }), answers: [200], closed: true },
  'HTTP/1.0 with keep-alive': {
    send: ask('/health', `${HOST}Connection: keep-alive\r\n`, { version: 'HTTP/1.0' }),
    answers: [200],
  },
  'HTTP/2.0 in an HTTP/1.1 request': {
    send: ask('/health', HOST, { version: 'HTTP/2.0' }),
    answers: [200],
    closed: true,
  },
};

testTable('the length of a body', FRAMING);
testTable('header fields', FIELDS);
testTable('request lines', REQUEST_LINES);

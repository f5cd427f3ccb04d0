// HTTP as no client library sends it, byte by byte on a socket: every refusal is a whole problem, and made no call.
import { gzipSync } from 'node:zlib';
import { FIN } from '../../support/connection.js';
import {
  ask,
  BODY,
  BODY_LIMIT,
  CHUNKED,
  chunk,
  each,
  HOST,
  JSON_TYPE,
  LAST,
  LENGTH,
  post,
  type Row,
  testTable,
} from '../../support/exchange.js';

const zipped = gzipSync(BODY);

/** How long a body is: where two readers differ, requests are smuggled. https://www.rfc-editor.org/rfc/rfc9112#section-11.2 */
const FRAMING: Record<string, Row> = {
  ...each(
    { answers: [200], arrives: 'x' },
    {
      'a length': post(),
      chunks: post(CHUNKED, chunk(BODY.slice(0, 9)) + chunk(BODY.slice(9)) + LAST),
      'chunks with extensions': post(CHUNKED, chunk(BODY, ';a=b;c="d"') + LAST),
      'chunks with trailers': post(CHUNKED, `${chunk(BODY)}0\r\nX-A: 1\r\n\r\n`),
      'leading zeros in a length': post(`Content-Length: 000${BODY.length}\r\n`),
    },
  ),
  ...each(
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
      'a length that is empty': post('Content-Length: \r\n'),
      'a length over 64 bits': post('Content-Length: 99999999999999999999\r\n'),
      'no length': post(''),
      'a trailer that is a length': post(CHUNKED, `${chunk(BODY)}0\r\nContent-Length: 1\r\n\r\n`),
      'a chunk size that is none': post(CHUNKED, `zz\r\n${BODY}\r\n${LAST}`),
      'a negative chunk size': post(CHUNKED, `-1\r\n${BODY}\r\n${LAST}`),
      'a chunk size over 64 bits': post(CHUNKED, `fffffffffffffffff\r\n${BODY}\r\n${LAST}`),
      'a chunk longer than its size': post(CHUNKED, `5\r\n${BODY}\r\n${LAST}`),
      'chunks that do not end': [post(CHUNKED, chunk(BODY)), FIN],
      'extensions without end': post(CHUNKED, chunk(BODY, `;${'a'.repeat(20_000)}`) + LAST),
      'a coding that is not chunked': post('Transfer-Encoding: identity\r\n'),
      'a coding that looks like chunked': post('Transfer-Encoding: xchunked\r\n', chunk(BODY) + LAST),
      'chunked behind a control character': post('Transfer-Encoding: \x0bchunked\r\n', chunk(BODY) + LAST),
      'chunked twice': post(CHUNKED + CHUNKED, chunk(BODY) + LAST),
      'chunked, and then another coding': post('Transfer-Encoding: chunked, gzip\r\n', chunk(BODY) + LAST),
    },
  ),
  ...each(
    { answers: [431], closed: true },
    { 'trailers too large': post(CHUNKED, `${chunk(BODY)}0\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`) },
  ),
  ...each(
    { answers: [413], closed: true },
    {
      'a length of 64 bits': post('Content-Length: 18446744073709551615\r\n'),
      'a chunk of 64 bits': post(CHUNKED, `ffffffffffffffff\r\n${'x'.repeat(BODY_LIMIT + 1)}`),
      'chunks over the limit': post(CHUNKED, chunk('x'.repeat(BODY_LIMIT)) + chunk('x') + LAST),
    },
  ),
  'more than the length: the rest is no request': {
    send: post(LENGTH, `${BODY}rest`),
    answers: [200, 400],
    closed: true,
    arrives: 'x',
  },
  'more than the length: the rest is a request': {
    send: post(LENGTH, BODY + ask('/health')),
    answers: [200, 200],
    arrives: 'x',
  },
  'a body of GET is skipped': { send: ask('/health', HOST + JSON_TYPE + LENGTH) + BODY, answers: [200] },
};

const FIELDS: Record<string, Row> = {
  ...each(
    { answers: [400], closed: true },
    {
      'a folded field': post(`${LENGTH}X-A: a\r\n b\r\n`),
      'a space before the colon': post(`Content-Length : ${BODY.length}\r\n`),
      'a space before the first field': ask('/health', ` ${HOST}`),
      'bare LF': post().replaceAll('\r\n', '\n'),
      'a bare CR': ask('/health', `Host: localhost\rX-A: 1\r\n`),
      'NUL in a value': ask('/health', `${HOST}X-A: a\0b\r\n`),
      'a control character in a value': ask('/health', `${HOST}X-A: a\x01b\r\n`),
      'DEL in a value': ask('/health', `${HOST}X-A: a\x7fb\r\n`),
      'NUL in a name': ask('/health', `${HOST}X\0A: b\r\n`),
      'no name': ask('/health', `${HOST}: b\r\n`),
      'no colon': ask('/health', `${HOST}hello\r\n`),
    },
  ),
  ...each(
    { answers: [431], closed: true },
    {
      'a field over 16 KiB': ask('/health', `${HOST}X-A: ${'a'.repeat(17 << 10)}\r\n`),
      'fields over 16 KiB': ask('/health', HOST + 'X-A: abcdefg\r\n'.repeat(2500)),
      'a target over 16 KiB': ask(`/${'a'.repeat(17 << 10)}`),
    },
  ),
  ...each(
    { answers: [400] },
    {
      'no Host': ask('/health', ''),
      'an empty Host': ask('/health', 'Host:\r\n'),
      'two Hosts': ask('/health', `${HOST}Host: evil.example\r\n`),
      'the same Host twice': ask('/health', HOST + HOST),
    },
  ),
  ...each(
    { answers: [403] },
    {
      'an Origin behind 2500 fields': ask('/health', `${HOST}${'a:\r\n'.repeat(2500)}Origin: http://evil.example\r\n`),
    },
  ),
  ...each(
    { answers: [415] },
    {
      'Content-Type: multipart': post().replace('application/json', 'multipart/form-data; boundary=x'),
      'Content-Type: text': post().replace('application/json', 'text/plain'),
      'Content-Type: another +json': post().replace('application/json', 'application/problem+json'),
      'Content-Type: longer': post().replace('application/json', 'application/jsonx'),
      'Content-Type: none': post().replace(JSON_TYPE, ''),
      'Content-Type: no type': post().replace('application/json', ';;;'),
      'Content-Type: text, then JSON': post().replace(JSON_TYPE, `Content-Type: text/plain\r\n${JSON_TYPE}`),
    },
  ),
  ...each(
    { answers: [415], closed: true },
    {
      'Content-Encoding: gzip': [post(`Content-Length: ${zipped.length}\r\nContent-Encoding: gzip\r\n`, ''), zipped],
      'Content-Encoding: gzip, and is not': post(`${LENGTH}Content-Encoding: gzip\r\n`),
    },
  ),
  ...each(
    { answers: [400], closed: true },
    { 'chunks of gzip': [post(CHUNKED, `${zipped.length.toString(16)}\r\n`), zipped, `\r\n${LAST}`] },
  ),
  ...each(
    { answers: [200], arrives: 'x' },
    {
      'Content-Encoding: identity': post(`${LENGTH}Content-Encoding: identity\r\n`),
      'Content-Type: with a charset': post().replace('json\r', 'json; charset=utf-8\r'),
      'Content-Type: upper case': post().replace('application/json', 'APPLICATION/JSON'),
      'a tab, and a byte above 127, in a value': Buffer.from(post(`${LENGTH}X-A: a\tb\xfc\r\n`), 'latin1'),
      '3000 fields': post('a:\r\n'.repeat(3000) + LENGTH),
    },
  ),
  'Expect: 100-continue': {
    send: [post(`${LENGTH}Expect: 100-continue\r\n`, ''), 1, BODY],
    answers: [100, 200],
    arrives: 'x',
  },
  'Expect: another': { send: post(`${LENGTH}Expect: 200-ok\r\n`), answers: [417] },
};

const REQUEST_LINES: Record<string, Row> = {
  ...each(
    { answers: [400], closed: true },
    {
      'an unknown method': ask('/health', HOST, { method: 'FOO' }),
      'a method in lower case': ask('/health', HOST, { method: 'get' }),
      'NUL in the method': ask('/health', HOST, { method: 'GE\0T' }),
      'NUL in the target': ask('/hea\0lth'),
      'a character above 127 in the target': ask('/hé'),
      'no target': ask(''),
      'a target without a slash': ask('health'),
      'a target that is a query': ask('?x'),
      'a target with a backslash': ask('\\health'),
      'a target that is host:port': ask('localhost:80'),
      'tabs for spaces': ask('/health').replaceAll(' ', '\t'),
      'HTTP/0.9': ['GET /health\r\n', FIN],
      'HTTP/1.2': ask('/health', HOST, { version: 'HTTP/1.2' }),
      'HTTP/1.1x': ask('/health', HOST, { version: 'HTTP/1.1x' }),
      'http/1.1': ask('/health', HOST, { version: 'http/1.1' }),
      'ICY/1.1': ask('/health', HOST, { version: 'ICY/1.1' }),
      "HTTP/2's preface": 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      // https://www.rfc-editor.org/rfc/rfc8446#section-4.1.2
      "TLS's first bytes": Buffer.from(`16030100310100002d0303${'5a'.repeat(32)}000002130100000200ff`, 'hex'),
      'HTTP/1.0 without Host': ask('/health', '', { version: 'HTTP/1.0' }),
    },
  ),
  ...each(
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
  ...each(
    { answers: [400] },
    {
      'a target that cannot be decoded': ask('/%zz'),
      'a URL of another host': ask('http://evil.example/health'),
      'a URL of another port': ask('http://localhost:81/health'),
      '*': ask('*'),
      '* that goes on': ask('*/health'),
      'OPTIONS *': ask('*', HOST, { method: 'OPTIONS' }),
    },
  ),
  ...each(
    { answers: [404] },
    {
      'two slashes': ask('//health'),
      'dot segments': ask('/docs/../health'),
      'dot segments out of all': ask('/docs/../../../../etc/passwd'),
      'a coded slash': ask('/%2fhealth'),
      'a slash at the end': post().replace('/write', '/write/'),
      'upper case': post().replace('/write', '/WRITE'),
      'a long target': ask(`/${'a'.repeat(15 << 10)}`),
    },
  ),
  ...each({ answers: [403] }, { 'coded dot segments': ask('/docs/static/%2e%2e/%2e%2e/package.json') }),
  ...each(
    { answers: [405] },
    {
      TRACE: ask('/health', HOST, { method: 'TRACE' }),
      OPTIONS: ask('/write', HOST, { method: 'OPTIONS' }),
      PUT: post().replace('POST', 'PUT'),
      DELETE: post().replace('POST', 'DELETE'),
      PROPFIND: ask('/health', HOST, { method: 'PROPFIND' }),
    },
  ),
  ...each(
    { answers: [200], arrives: 'x' },
    {
      'a query': post().replace('/write', '/write?x=1'),
      'a URL of this host': post().replace('/write', 'http://localhost/write'),
      'empty lines first': `\r\n\r\n${post()}`,
      'a coded letter': post().replace('/write', '/%77rite'),
    },
  ),
  'HEAD /health': { send: ask('/health', HOST, { method: 'HEAD' }), answers: [200], toHead: true },
  'HEAD /write': { send: ask('/write', HOST, { method: 'HEAD' }), answers: [405], toHead: true },
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

testTable('how long a body is', FRAMING);
testTable('fields', FIELDS);
testTable('request lines', REQUEST_LINES);

// A TCP connection on which the test itself writes every byte, and a strict parser of HTTP answers (RFC 9112).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { Problem } from '../../src/protocol/problem.js';
import { turn } from './app.js';

/** Steps in place of bytes: the client ends its side, or resets the connection. */
export const FIN = Symbol('FIN');
export const RST = Symbol('RST');

/** A client's step: bytes to write, a number of answers to wait for, FIN or RST. */
export type Step = string | Buffer | number | typeof FIN | typeof RST;

export type Wire = {
  /** Returns the bytes received so far. */
  received: () => Buffer;
  /** Takes steps one after the other, writing `size` bytes at a time. Writes no more once the service has closed. */
  take: (steps: readonly Step[], size?: number) => Promise<void>;
  /** Waits until the bytes received are enough, and returns them. */
  until: (enough: (received: Buffer) => boolean) => Promise<Buffer>;
  /** Waits for the service's FIN or RST, and returns the bytes received. */
  untilClosed: () => Promise<Buffer>;
  end: () => void;
};

/** Longer than any answer takes, even on a busy machine. */
const PATIENCE_MS = 20_000;

/** Opens a connection that lasts until the test ends. The service's FIN is not answered by itself. */
export async function dial(t: TestContext, url: string): Promise<Wire> {
  const { hostname, port } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true, noDelay: true });
  t.after(() => socket.destroy());
  let received = Buffer.alloc(0);
  let isClosed = false;
  const close = (): void => {
    isClosed = true;
    socket.emit('news');
  };
  // The service may reset while the test still writes: the bytes that came before count.
  socket
    .on('error', () => {})
    .on('end', close)
    .on('close', close);
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    socket.emit('news');
  });
  await once(socket, 'connect');

  async function wait(isOver: () => boolean): Promise<Buffer> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    while (!isOver())
      await once(socket, 'news', { signal }).catch(() => {
        throw new Error(`timed out after receiving ${JSON.stringify(received.toString('latin1'))}`);
      });
    return received;
  }
  async function until(enough: (received: Buffer) => boolean): Promise<Buffer> {
    await wait(() => enough(received) || isClosed);
    assert.ok(enough(received), `the service closed after sending ${JSON.stringify(received.toString('latin1'))}`);
    return received;
  }
  async function write(bytes: Buffer, size: number): Promise<void> {
    for (let at = 0; at < bytes.length && !isClosed && socket.writable; at += size) {
      await new Promise<void>((resolve) => socket.write(bytes.subarray(at, at + size), () => resolve()));
      await turn();
    }
  }
  return {
    received: () => received,
    async take(steps, size = Number.POSITIVE_INFINITY) {
      for (const step of steps) {
        if (step === FIN) socket.end();
        else if (step === RST) socket.resetAndDestroy();
        else if (typeof step === 'number') await until((bytes) => parseAnswers(bytes).answers.length >= step);
        else await write(Buffer.from(step as string), size);
      }
    },
    until,
    untilClosed: () => wait(() => isClosed),
    end: () => socket.destroy(),
  };
}

export type Answer = { status: number; headers: Map<string, string>; body: Buffer };

const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e]+$/;
const FIELD_LINE = /^([\w!#$%&'*+.^`|~-]+): ([\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)$/;

/**
 * Parses the whole answers at the start of bytes, and returns what is left behind them. Fails on an invalid answer.
 * https://www.rfc-editor.org/rfc/rfc9112#section-6.3
 */
export function parseAnswers(bytes: Buffer, isToHead = false): { answers: Answer[]; rest: Buffer } {
  const answers: Answer[] = [];
  for (let at = 0; ; ) {
    const rest = bytes.subarray(at);
    const end = bytes.indexOf('\r\n\r\n', at);
    if (end < 0) return { answers, rest };
    const [first = '', ...lines] = bytes.toString('latin1', at, end).split('\r\n');
    const status = Number(STATUS_LINE.exec(first)?.[1]);
    assert.ok(status, `not a status line: ${JSON.stringify(first)}`);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const [, name, value = ''] = FIELD_LINE.exec(line) ?? [];
      assert.ok(name, `not a field: ${JSON.stringify(line)}`);
      assert.ok(!headers.has(name.toLowerCase()), `the field ${name} occurs twice`);
      headers.set(name.toLowerCase(), value);
    }
    const length = headers.get('content-length') ?? '0';
    assert.match(length, /^\d+$/);
    assert.ok(status < 200 || status === 204 || headers.has('content-length'), 'the answer has a Content-Length');
    at = end + 4 + (isToHead ? 0 : Number(length));
    if (at > bytes.length) return { answers, rest };
    answers.push({ status, headers, body: bytes.subarray(end + 4, at) });
  }
}

/** Checks that an answer is a problem (RFC 9457) of our own shape, and returns the problem. */
export function assertProblem({ status, headers, body }: Answer): Problem {
  assert.equal(headers.get('content-type'), 'application/problem+json');
  const problem = Problem.strict().parse(JSON.parse(String(body)));
  assert.equal(problem.status, status);
  return problem;
}

/** Waits until the service has no open connection. */
export async function waitForNoConnections({ server }: FastifyInstance): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const count = await new Promise<number>((resolve) => server.getConnections((_error, number) => resolve(number)));
    if (count === 0) return;
    assert.ok(performance.now() < deadline, `${count} connections are still open`);
    await turn();
  }
}

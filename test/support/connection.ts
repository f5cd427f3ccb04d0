// A connection whose bytes are the test's own, and HTTP answers held to the letter of RFC 9112.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { Problem } from '../../src/protocol/problem.js';
import { turn } from './app.js';

/** In place of bytes: this side's FIN, or its RST. */
export const FIN = Symbol('FIN');
export const RST = Symbol('RST');

/** What is done to a connection: bytes are written, a number is so many answers to wait for. */
export type Step = string | Buffer | number | typeof FIN | typeof RST;

export type Wire = {
  /** What has come so far. */
  received: () => Buffer;
  /** Takes steps one after the other, writing `size` bytes at a time; no more of them once the service has closed. */
  take: (steps: readonly Step[], size?: number) => Promise<void>;
  /** Waits until what has come is enough. */
  until: (enough: (received: Buffer) => boolean) => Promise<Buffer>;
  /** Waits for the service's FIN, or RST. */
  untilClosed: () => Promise<Buffer>;
  end: () => void;
};

/** Longer than any answer takes, on a busy machine too. */
const PATIENCE_MS = 20_000;

/** A connection that stays until the test ends; the other side's FIN is not answered by itself. */
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
  // A reset while this side still writes: what came before it counts.
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
        throw new Error(`still waiting, after ${JSON.stringify(received.toString('latin1'))}`);
      });
    return received;
  }
  async function until(enough: (received: Buffer) => boolean): Promise<Buffer> {
    await wait(() => enough(received) || isClosed);
    assert.ok(enough(received), `closed after ${JSON.stringify(received.toString('latin1'))}`);
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
 * The whole answers at the start of bytes, and what is left behind them; what is no answer fails.
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
    assert.ok(status, `a status line: ${JSON.stringify(first)}`);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const [, name, value = ''] = FIELD_LINE.exec(line) ?? [];
      assert.ok(name, `a field: ${JSON.stringify(line)}`);
      assert.ok(!headers.has(name.toLowerCase()), `${name} twice`);
      headers.set(name.toLowerCase(), value);
    }
    const length = headers.get('content-length') ?? '0';
    assert.match(length, /^\d+$/);
    assert.ok(status < 200 || headers.has('content-length'), 'its length is known');
    at = end + 4 + (isToHead ? 0 : Number(length));
    if (at > bytes.length) return { answers, rest };
    answers.push({ status, headers, body: bytes.subarray(end + 4, at) });
  }
}

/** Holds an answer to RFC 9457 and to our own shape of it. */
export function assertProblem({ status, headers, body }: Answer): Problem {
  assert.equal(headers.get('content-type'), 'application/problem+json');
  const problem = Problem.strict().parse(JSON.parse(String(body)));
  assert.equal(problem.status, status);
  return problem;
}

/** Waits until the service holds no connection any more. */
export async function noConnections({ server }: FastifyInstance): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const count = await new Promise<number>((resolve) => server.getConnections((_error, number) => resolve(number)));
    if (count === 0) return;
    assert.ok(performance.now() < deadline, `${count} connections are still there`);
    await turn();
  }
}

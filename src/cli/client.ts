// The client of a running service: address, token, requests, and error messages for people.
import { isUtf8 } from 'node:buffer';
import { once } from 'node:events';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import type { Problem } from '../protocol/problem.js';
import { type Flags, NoAnswer, Refused, UsageError } from './command.js';

/** The flags of every command that sends requests to a service. */
export const CLIENT_FLAGS = {
  url: { value: 'URL', help: 'the address of the service (http://127.0.0.1:8080), or SYSWIRE_URL' },
  token: { value: 'TOKEN', help: 'the token of the service, or SYSWIRE_TOKEN' },
} as const satisfies Flags;
/** The exit code of these commands when no answer comes. */
export const NO_ANSWER = 'the service did not answer';

const HANDSHAKE_MS = 10_000;

export type Client = {
  /** The service's address, for messages. */
  origin: string;
  /** Send a GET and return the answer's JSON. */
  get: <T>(path: string) => Promise<T>;
  /** Send a POST and return the answer's JSON. */
  post: <T>(path: string, body: object, headers?: Record<string, string>) => Promise<T>;
  /** Open a WebSocket. The caller must await `opened`, which rejects if the service does not accept it. */
  connect: (path: string) => { socket: WebSocket; opened: Promise<void> };
};

export const notSyswire = (address: string, why: string): UsageError =>
  new UsageError(`${address} is not a syswire service (${why}): check the address`);

/** Turn an answer other than 2xx into an error: NoAnswer if the request may succeed later, otherwise UsageError. */
function toError(status: number, body: string, from: string): Error {
  let problem: Partial<Problem> | null = null;
  try {
    problem = JSON.parse(body);
  } catch {}
  if (typeof problem?.detail !== 'string')
    // A proxy answers with 502 to 504 while the service behind it is down.
    return status >= 500
      ? new NoAnswer(`${from} answered ${status} without a reason: try again later`)
      : notSyswire(from, `it answered ${status}`);
  if (status === 401) return new UsageError(`${problem.detail} (on the command line: --token, or SYSWIRE_TOKEN)`);
  return status < 500 || status === 501
    ? new Refused(problem.errors ?? [{ detail: problem.detail }])
    : new NoAnswer(problem.detail);
}

/**
 * Create a client. Nothing is sent yet.
 *
 * @throws UsageError if the address or the token is not valid. The methods throw NoAnswer if no answer comes, and
 * UsageError if the service refuses the request.
 */
export function createClient({ url, token }: { url?: string; token?: string }, env: NodeJS.ProcessEnv): Client {
  const given = url ?? (env.SYSWIRE_URL || 'http://127.0.0.1:8080');
  const source = url === undefined ? 'SYSWIRE_URL' : '--url';
  const base = URL.canParse(given) ? new URL(given.endsWith('/') ? given : `${given}/`) : null;
  if (base === null || !/^https?:$/.test(base.protocol))
    throw new UsageError(`${source} ${given}: must be an address such as http://127.0.0.1:8080`);
  if (base.username || base.password)
    throw new UsageError(
      `${source}: the address has a name or password: remove it, and give the token with --token or SYSWIRE_TOKEN`,
    );
  const secret = token ?? (env.SYSWIRE_TOKEN || undefined);
  if (secret !== undefined && !/^[\x21-\x7e]+$/.test(secret))
    throw new UsageError(`${token === undefined ? 'SYSWIRE_TOKEN' : '--token'}: must be visible ASCII characters`);
  const authorization: Record<string, string> = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
  const origin = base.href.replace(/\/$/, '');

  const noAnswer = (error: Error): Error => {
    // The error of several addresses has no message.
    const reason = error.message || (error as { code?: string }).code;
    return new NoAnswer(
      `no service answers at ${origin} (${reason}): start one with syswire in another terminal, or check the address`,
    );
  };

  async function ask<T>(path: string, { body, ...options }: RequestOptions & { body?: string } = {}): Promise<T> {
    const at = new URL(path, base as URL);
    let status: number;
    let received: string;
    try {
      // Not fetch, which takes longer to load than the rest of a command, refuses some ports, and fails under wine 8,
      // which has no TCP_KEEPALIVE.
      const { request } = await (at.protocol === 'https:' ? import('node:https') : import('node:http'));
      const sent = request(at, { ...options, headers: { ...authorization, ...options.headers } });
      // An error after the answer's head comes out of its body too.
      sent.on('error', () => {});
      sent.end(body);
      const [answer] = (await once(sent, 'response')) as [IncomingMessage];
      status = answer.statusCode ?? 0;
      received = await text(answer);
    } catch (error) {
      throw noAnswer(error as Error);
    }
    if (status < 200 || status > 299) throw toError(status, received, at.href);
    try {
      return JSON.parse(received) as T;
    } catch {
      throw notSyswire(origin, 'its answer is not JSON');
    }
  }

  return {
    origin,
    get: (path) => ask(path),
    post: (path, body, headers = {}) =>
      ask(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    connect(path) {
      const at = new URL(path, base);
      at.protocol = at.protocol.replace('http', 'ws');
      const socket = new WebSocket(at, { headers: authorization, handshakeTimeout: HANDSHAKE_MS });
      const opened = new Promise<void>((resolve, reject) => {
        socket.once('open', resolve);
        socket.once('error', (error) => reject(noAnswer(error)));
        socket.once('unexpected-response', async (_request, response: IncomingMessage) => {
          reject(toError(response.statusCode ?? 0, await text(response).catch(() => ''), at.href));
        });
      });
      return { socket, opened };
    },
  };
}

/** An error for a service that was asked for a witness and answers without one. It has made the calls all the same. */
export const withoutWitness = (origin: string): UsageError => notSyswire(origin, 'its answer has no verdict');

/** Encode bytes for a request: as text if they are UTF-8, otherwise as base64. */
export const encodeMessage = (bytes: Buffer): { msg: string; encoding: 'utf8' | 'base64' } =>
  isUtf8(bytes) ? { msg: bytes.toString(), encoding: 'utf8' } : { msg: bytes.toString('base64'), encoding: 'base64' };

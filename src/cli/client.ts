// The client of a running service: its address, its token, and the errors for people when it does not answer.
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import type { Problem } from '../protocol/problem.js';
import { NoAnswer, UsageError } from './command.js';

/** The flags of every command that asks a service. */
export const CLIENT_FLAGS = {
  url: { type: 'string' },
  token: { type: 'string' },
  target: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;
export const CLIENT_HELP = `  --url URL        where the service is (http://127.0.0.1:8080), or SYSWIRE_URL
  --token TOKEN    what it was started with, or SYSWIRE_TOKEN`;

const HANDSHAKE_MS = 10_000;

export type Client = {
  /** Where the service is, for people. */
  origin: string;
  /** A GET's answer, as JSON. */
  get: <T>(path: string) => Promise<T>;
  /** A POST's. */
  post: <T>(path: string, body: object, headers?: Record<string, string>) => Promise<T>;
  /** A WebSocket that is about to open: `opened` must be awaited. */
  connect: (path: string) => { socket: WebSocket; opened: Promise<void> };
};

/** What an answer that is no 2xx means: what was asked is wrong, or nobody can have it now. */
function refused(status: number, body: string, from: string): Error {
  let problem: Partial<Problem> | null = null;
  try {
    problem = JSON.parse(body);
  } catch {}
  if (typeof problem?.detail !== 'string')
    // Something in between may say that the service is not there just now.
    return status >= 500
      ? new NoAnswer(`${from} answered ${status}`)
      : new UsageError(`${from} is no syswire service: it answered ${status}`);
  if (status === 401) return new UsageError(`${problem.detail} (here: --token, or SYSWIRE_TOKEN)`);
  return status < 500 || status === 501 ? new UsageError(problem.detail) : new NoAnswer(problem.detail);
}

/**
 * A service to be asked. Nothing is sent yet.
 *
 * @throws UsageError when the address is none; the calls throw NoAnswer, or UsageError for what the service refused
 */
export function createClient({ url, token }: { url?: string; token?: string }, env: NodeJS.ProcessEnv): Client {
  const given = url ?? (env.SYSWIRE_URL || 'http://127.0.0.1:8080');
  const source = url === undefined ? 'SYSWIRE_URL' : '--url';
  const base = URL.canParse(given) ? new URL(given.endsWith('/') ? given : `${given}/`) : null;
  if (base === null || !/^https?:$/.test(base.protocol))
    throw new UsageError(`${source} ${given}: must be an address such as http://127.0.0.1:8080`);
  if (base.username || base.password)
    throw new UsageError(`${source}: leave out name and password: the token comes by --token or SYSWIRE_TOKEN`);
  const secret = token ?? (env.SYSWIRE_TOKEN || undefined);
  if (secret !== undefined && !/^[\x21-\x7e]+$/.test(secret))
    throw new UsageError(`${token === undefined ? 'SYSWIRE_TOKEN' : '--token'}: must be visible ASCII characters`);
  const authorization: Record<string, string> = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
  const origin = base.href.replace(/\/$/, '');

  const noAnswer = (error: Error): Error => {
    const { cause = error } = error as { cause?: Error & { code?: string } };
    // https://fetch.spec.whatwg.org/#port-blocking
    if (cause.message === 'bad port')
      return new UsageError(`${source} ${origin}: Node's fetch refuses this port: let the service listen on another`);
    return new NoAnswer(`no service answers at ${origin}: ${cause.message || (cause as { code?: string }).code}`);
  };

  async function ask<T>(path: string, init: RequestInit): Promise<T> {
    let answer: Response;
    let body: string;
    try {
      answer = await fetch(new URL(path, base as URL), { ...init, headers: { ...authorization, ...init.headers } });
      body = await answer.text();
    } catch (error) {
      throw noAnswer(error as Error);
    }
    if (!answer.ok) throw refused(answer.status, body, new URL(path, base as URL).href);
    try {
      return JSON.parse(body) as T;
    } catch {
      throw new UsageError(`${origin} is no syswire service: its answer is not JSON`);
    }
  }

  return {
    origin,
    get: (path) => ask(path, {}),
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
          reject(refused(response.statusCode ?? 0, await text(response).catch(() => ''), at.href));
        });
      });
      return { socket, opened };
    },
  };
}

/** How bytes travel: as text where they are, else as base64. */
export const messageOf = (bytes: Buffer): { msg: string; encoding: 'utf8' | 'base64' } =>
  isUtf8(bytes) ? { msg: bytes.toString(), encoding: 'utf8' } : { msg: bytes.toString('base64'), encoding: 'base64' };

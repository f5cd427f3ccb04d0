// A token in exchange for a cookie, for browsers: a page cannot put a header on its WebSocket.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { LoginRequest } from '../../protocol/service.js';
import { busy, problems, refusal } from '../answers/problem.js';
import type { Lasting } from '../lifecycle/tasks.js';

const LIFETIME_S = 12 * 60 * 60;
/** A wrong token is answered so late, one after the other: nobody guesses by hand here. */
const WRONG_MS = 1000;
const MAX_WRONG = 10;

const Done = z.null().describe('Done.');

export type Sessions = {
  /** Whether a request carries a cookie of this process that is still good. */
  isLoggedIn: (headers: IncomingHttpHeaders) => boolean;
  addRoutes: (app: FastifyInstance) => void;
};

/** Cookies do not know ports: two services on one host must not overwrite each other's. */
const cookieName = (host: string | undefined): string => `syswire-${/:(\d+)$/.exec(host ?? '')?.[1] ?? '80'}`;

/**
 * @param isToken whether a token is the right one, in constant time
 */
export function createSessions(isToken: (token: string) => boolean, lasting: Lasting): Sessions {
  // A new one each start: who logged in before must do so again.
  const key = randomBytes(32);
  const sign = (session: string): Buffer => createHmac('sha256', key).update(session).digest();
  /** Sessions that were logged out before their time, and when that is, in seconds. */
  const revoked = new Map<string, number>();
  let wrong = 0;
  let turn: Promise<unknown> = Promise.resolve();

  const cookie = (host: string | undefined, value: string, seconds: number): string =>
    `${cookieName(host)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict`;

  /** The session of a cookie of ours that is still good, and when it ends. */
  function sessionOf({ cookie = '', host }: IncomingHttpHeaders): [string, number] | null {
    const name = cookieName(host);
    const value = cookie
      .split(/; */)
      .find((part) => part.startsWith(`${name}=`))
      ?.slice(name.length + 1);
    const [, session, expires, signature] = /^((\d{1,12})-[\da-f]{16})\.([\da-f]{64})$/.exec(value ?? '') ?? [];
    if (session === undefined || signature === undefined || revoked.has(session)) return null;
    const isOurs = timingSafeEqual(Buffer.from(signature, 'hex'), sign(session));
    return isOurs && Number(expires) > Date.now() / 1000 ? [session, Number(expires)] : null;
  }

  return {
    isLoggedIn: (headers) => sessionOf(headers) !== null,

    addRoutes(instance) {
      const app = instance.withTypeProvider<ZodTypeProvider>();
      app.post(
        '/login',
        {
          config: { isOpen: true },
          schema: {
            operationId: 'login',
            summary: 'A token in exchange for a cookie',
            description:
              'For browsers, which cannot put a header on a WebSocket. The cookie is good for twelve hours, or until the service is started anew.',
            tags: ['about'],
            security: [],
            body: LoginRequest,
            response: { 204: Done, ...problems(401, 413, 415) },
          },
        },
        async ({ body, headers }, reply) => {
          if (!isToken(body.token)) {
            if (wrong >= MAX_WRONG) throw busy('too many wrong tokens: try again later', 'wrong-tokens', MAX_WRONG);
            wrong += 1;
            // Whether or not its client has gone: a next guess is no earlier. A stop ends it.
            await lasting.run(
              () => {},
              (signal) => {
                turn = turn.then(() => sleep(WRONG_MS, undefined, { ref: false, signal }).catch(() => {}));
                return turn;
              },
            );
            wrong -= 1;
            throw refusal(401, 'the token is wrong', [{ pointer: '#/token', detail: 'is wrong' }]);
          }
          const expires = Math.floor(Date.now() / 1000) + LIFETIME_S;
          const session = `${expires}-${randomBytes(8).toString('hex')}`;
          reply.header('set-cookie', cookie(headers.host, `${session}.${sign(session).toString('hex')}`, LIFETIME_S));
          return reply.code(204).send(null);
        },
      );
      app.post(
        '/logout',
        {
          config: { isOpen: true },
          schema: {
            operationId: 'logout',
            summary: 'Takes the cookie back',
            tags: ['about'],
            security: [],
            response: { 204: Done, ...problems(413, 415) },
          },
        },
        ({ headers }, reply) => {
          const session = sessionOf(headers);
          for (const [old, expires] of revoked) if (expires < Date.now() / 1000) revoked.delete(old);
          if (session) revoked.set(...session);
          reply
            .header('set-cookie', cookie(headers.host, '', 0))
            .code(204)
            .send(null);
        },
      );
    },
  };
}

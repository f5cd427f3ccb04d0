// Sessions: a cookie in place of the token, for browsers, which cannot put a header on a WebSocket.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Tasks } from '../lifecycle/tasks.js';
import { busy, refusal } from '../refusal.js';

const LIFETIME_S = 12 * 60 * 60;
/** How long a wrong token delays its answer. Wrong tokens are answered one after the other: no person guesses them. */
const PENALTY_MS = 1000;
const MAX_PENALTIES = 10;

export type Sessions = {
  /** Whether a request carries a cookie of this process that is still good. */
  isLoggedIn: (headers: IncomingHttpHeaders) => boolean;
  /**
   * Begins a session.
   *
   * @returns the Set-Cookie header
   * @throws a refusal for a wrong token, a second later
   */
  logIn: (token: string, headers: IncomingHttpHeaders) => Promise<string>;
  /** Ends the session of a request. @returns the Set-Cookie header that takes the cookie back */
  logOut: (headers: IncomingHttpHeaders) => string;
};

/** Cookies do not know ports: two services on one host must not overwrite each other's. */
const cookieName = (host: string | undefined): string => `syswire-${/:(\d+)$/.exec(host ?? '')?.[1] ?? '80'}`;

const setCookie = (host: string | undefined, value: string, seconds: number): string =>
  `${cookieName(host)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict`;

/** @param isToken whether a token is the right one, in constant time */
export function createSessions(isToken: (token: string) => boolean, tasks: Tasks): Sessions {
  // A new key at each start: sessions end with the process.
  const key = randomBytes(32);
  const sign = (session: string): Buffer => createHmac('sha256', key).update(session).digest();
  /** Sessions that were logged out before their time, and when that is, in seconds. */
  const revoked = new Map<string, number>();
  let penalties = 0;
  let lastPenalty: Promise<unknown> = Promise.resolve();

  /** The session of a request's cookie, if it is still good, and when it ends, in seconds since 1970. */
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

  /** Waits for the penalties of earlier wrong tokens, and then for one more. */
  async function penalise(): Promise<void> {
    if (penalties >= MAX_PENALTIES) throw busy('too many wrong tokens: try again later', 'wrong-tokens', MAX_PENALTIES);
    penalties += 1;
    // The penalty holds even if the client leaves; otherwise the next guess would come earlier. A stop ends it.
    await tasks.run(null, (signal) => {
      lastPenalty = lastPenalty.then(() => sleep(PENALTY_MS, undefined, { ref: false, signal }).catch(() => {}));
      return lastPenalty;
    });
    penalties -= 1;
  }

  return {
    isLoggedIn: (headers) => sessionOf(headers) !== null,

    async logIn(token, { host }) {
      if (!isToken(token)) {
        await penalise();
        throw refusal('wrong-token', 'the token is wrong', { errors: [{ pointer: '#/token', detail: 'is wrong' }] });
      }
      const expires = Math.floor(Date.now() / 1000) + LIFETIME_S;
      const session = `${expires}-${randomBytes(8).toString('hex')}`;
      return setCookie(host, `${session}.${sign(session).toString('hex')}`, LIFETIME_S);
    },

    logOut(headers) {
      const session = sessionOf(headers);
      for (const [old, expires] of revoked) if (expires < Date.now() / 1000) revoked.delete(old);
      if (session) revoked.set(...session);
      return setCookie(headers.host, '', 0);
    },
  };
}

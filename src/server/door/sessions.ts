// Sessions: a cookie that replaces the token, for browsers, because they cannot add a header to a WebSocket.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Tasks } from '../lifecycle/tasks.js';
import { busy, refusal, WRONG_TOKEN } from '../refusal.js';

const LIFETIME_S = 12 * 60 * 60;
/** The delay of the answer to a wrong token, in ms. Delays do not overlap: a client tries one token a second. */
const PENALTY_MS = 1000;
/** The most wrong tokens that may wait for their answers. */
const MAX_PENALTIES = 10;

export type Sessions = {
  /** Returns true for a request with a valid cookie of this process. */
  isLoggedIn: (headers: IncomingHttpHeaders) => boolean;
  /**
   * Begins a session.
   *
   * @returns the Set-Cookie header
   * @throws a refusal for a wrong token, after PENALTY_MS
   */
  logIn: (token: string, headers: IncomingHttpHeaders) => Promise<string>;
  /** Ends the session of a request. @returns the Set-Cookie header that deletes the cookie */
  logOut: (headers: IncomingHttpHeaders) => string;
};

/** Returns a name with the port in it: cookies ignore the port, and two services on one host need two cookies. */
const cookieName = (host: string | undefined): string => `syswire-${/:(\d+)$/.exec(host ?? '')?.[1] ?? '80'}`;

const setCookie = (host: string | undefined, value: string, seconds: number): string =>
  `${cookieName(host)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict`;

/** @param isToken returns true for the right token, in constant time */
export function createSessions(isToken: (token: string) => boolean, tasks: Tasks): Sessions {
  // A new key at each start ends the sessions of earlier processes.
  const key = randomBytes(32);
  const sign = (session: string): Buffer => createHmac('sha256', key).update(session).digest();
  /** Sessions that were logged out → when they would have ended, in seconds since 1970. */
  const revoked = new Map<string, number>();
  let penalties = 0;
  let lastPenalty: Promise<unknown> = Promise.resolve();

  /** Returns the session of a cookie's value, and its end; null if the value is not valid. */
  function verify(value: string): [string, number] | null {
    const [, session, expires, signature] = /^((\d{1,12})-[\da-f]{16})\.([\da-f]{64})$/.exec(value) ?? [];
    if (session === undefined || signature === undefined || revoked.has(session)) return null;
    const isOurs = timingSafeEqual(Buffer.from(signature, 'hex'), sign(session));
    return isOurs && Number(expires) > Date.now() / 1000 ? [session, Number(expires)] : null;
  }

  /** Returns the session of a request's cookie and its end, in seconds since 1970; null if the cookie is not valid. */
  function sessionOf({ cookie = '', host }: IncomingHttpHeaders): [string, number] | null {
    const name = cookieName(host);
    // Another service on this host may set a cookie of the same name for a longer path, and a browser sends that first.
    for (const part of cookie.split(/; */)) {
      const session = part.startsWith(`${name}=`) ? verify(part.slice(name.length + 1)) : null;
      if (session) return session;
    }
    return null;
  }

  /** Waits for the penalties of earlier wrong tokens, and then for one more. */
  async function penalise(): Promise<void> {
    if (penalties >= MAX_PENALTIES)
      throw busy(`too many wrong tokens were sent: try again in ${MAX_PENALTIES} s`, 'wrong-tokens', MAX_PENALTIES);
    penalties += 1;
    // The penalty goes on when the client leaves: its next guess must not be answered earlier. A stop ends the penalty.
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
        throw refusal('wrong-token', WRONG_TOKEN, { errors: [{ pointer: '#/token', detail: WRONG_TOKEN }] });
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

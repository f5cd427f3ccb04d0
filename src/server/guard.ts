// Who may come in: Host, Origin and token, in front of every route and of the upgrade.
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { refusal } from './problem.js';

export type GuardOptions = {
  /** Names besides IP addresses and localhost that `Host` may give. */
  allowHost: readonly string[];
  /** None: everybody who can connect may come in. */
  token: string | undefined;
};

/** The host in `host[:port]` or `[host]:port`, in lower case, without its port; null if it is none. */
function hostname(authority: string): string | null {
  const match = /^(?:\[([\da-f:.]+)\]|([^\s:/?#@[\]]+))(?::\d{1,5})?$/i.exec(authority);
  return (match?.[1] ?? match?.[2])?.toLowerCase() ?? null;
}

/** `host:port` as a URL spells it, the scheme's own port left out; null when it is none. */
function authorityOf(origin: string): string | null {
  try {
    return new URL(origin).host;
  } catch {
    return null;
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * A check to run before anything else of a request is looked at. It throws a refusal.
 *
 * A web page elsewhere can send requests here from its visitor's browser. Two things give it away:
 * DNS rebinding needs a name in `Host`, and a browser puts the page's own address into `Origin`.
 * https://owasp.org/www-community/attacks/DNS_Rebinding
 */
export function createGuard({ allowHost, token }: GuardOptions): (request: FastifyRequest) => void {
  const names = new Set(['localhost', ...allowHost.map((name) => name.toLowerCase())]);
  const expected = token === undefined ? null : digest(token);

  function checkHost(host: string | undefined): void {
    if (host === undefined) throw refusal(400, 'the Host header is missing: send one');
    const name = hostname(host);
    if (name === null) throw refusal(400, 'the Host header is not host[:port]');
    if (isIP(name) === 0 && !names.has(name))
      throw refusal(
        403,
        `Host '${name}' is not allowed: use an IP address or localhost, or start with --allow-host ${name}`,
      );
  }

  function checkOrigin(origin: string | undefined, host: string): void {
    if (origin === undefined) return;
    const scheme = origin.slice(0, origin.indexOf(':'));
    const authority = authorityOf(origin);
    if (authority === null || authority !== authorityOf(`${scheme}://${host}`))
      throw refusal(403, "requests from other sites' pages are refused: the Origin header must name this service");
  }

  /** Hashed first, so that the comparison takes the same time whatever was sent, and however long. */
  function checkToken(authorization: string | undefined): void {
    if (expected === null) return;
    const sent = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    if (sent !== undefined && timingSafeEqual(digest(sent), expected)) return;
    const detail = sent === undefined ? 'a token is needed: send Authorization: Bearer TOKEN' : 'the token is wrong';
    throw refusal(401, detail, undefined, { 'www-authenticate': 'Bearer' });
  }

  return ({ headers, routeOptions }) => {
    checkHost(headers.host);
    checkOrigin(headers.origin, headers.host as string);
    // Liveness is asked by those who have no business with the token: a container's health check.
    if (routeOptions.url !== '/health') checkToken(headers.authorization);
  };
}

// The guard in front of every route and of the upgrade: it checks Host, Origin and the token.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { refusal } from '../refusal.js';

export type GuardOptions = {
  /** Names besides IP addresses and localhost that `Host` may give. */
  allowHost: readonly string[];
  /** Whether a token is the right one; null: no token is needed. */
  isToken: ((token: string) => boolean) | null;
  /** Whether a request carries a session's cookie instead. */
  isLoggedIn: (headers: IncomingHttpHeaders) => boolean;
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

/** Returns a function that compares a text with `token`, hashed, so that it takes the same time whatever was sent. */
export function tokenCheck(token: string): (sent: string) => boolean {
  const expected = digest(token);
  return (sent) => timingSafeEqual(digest(sent), expected);
}

/**
 * Returns a check that throws a refusal. It runs before anything else of a request is looked at.
 *
 * A web page elsewhere can send requests here from its visitor's browser. Two things give it away: DNS rebinding needs a
 * name in `Host`, and a browser puts the page's own address into `Origin`.
 * https://owasp.org/www-community/attacks/DNS_Rebinding
 */
export function createGuard({ allowHost, isToken, isLoggedIn }: GuardOptions): (request: FastifyRequest) => void {
  const names = new Set(['localhost', ...allowHost.map((name) => name.toLowerCase())]);

  function checkHost(host: string | undefined, rawHeaders: readonly string[]): void {
    if (host === undefined) throw refusal('malformed', 'the Host header is missing: send one');
    // Node keeps the first one, and a proxy in front may have read the last. https://www.rfc-editor.org/rfc/rfc9112#section-3.2
    if (rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === 'host').length > 1)
      throw refusal('malformed', 'there is more than one Host header: send one');
    const name = hostname(host);
    if (name === null) throw refusal('malformed', 'the Host header is not host[:port]');
    if (isIP(name) === 0 && !names.has(name))
      throw refusal(
        'foreign',
        `Host '${name}' is not allowed: use an IP address or localhost, or start with --allow-host ${name}`,
      );
  }

  /** A target that is a whole URL overrules Host. https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2 */
  function checkTarget(target: string, host: string): void {
    if (target.startsWith('/')) return;
    const authority = authorityOf(target);
    if (authority === null || authority !== authorityOf(`http://${host}`))
      throw refusal('malformed', 'the target of the request must be a path, or a URL of the host that Host names');
  }

  function checkOrigin(origin: string | undefined, host: string): void {
    if (origin === undefined) return;
    const scheme = origin.slice(0, origin.indexOf(':'));
    const authority = authorityOf(origin);
    if (authority === null || authority !== authorityOf(`${scheme}://${host}`))
      throw refusal(
        'foreign',
        "requests from other sites' pages are refused: the Origin header must name this service",
      );
  }

  function checkToken(headers: IncomingHttpHeaders): void {
    if (isToken === null) return;
    const sent = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
    if (sent === undefined ? isLoggedIn(headers) : isToken(sent)) return;
    const detail = sent === undefined ? 'a token is needed: send Authorization: Bearer TOKEN' : 'the token is wrong';
    throw refusal('no-token', detail);
  }

  return ({ headers, raw, originalUrl, routeOptions }) => {
    checkHost(headers.host, raw.rawHeaders);
    checkTarget(originalUrl, headers.host as string);
    checkOrigin(headers.origin, headers.host as string);
    if (!routeOptions.config.isOpen) checkToken(headers);
  };
}

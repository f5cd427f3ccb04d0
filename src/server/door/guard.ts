// The guard in front of every route and of the upgrade. It checks Host, Origin and the token.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { quoteHeader, refusal, WRONG_TOKEN } from '../refusal.js';

export type GuardOptions = {
  /** Host names that `Host` may have, besides IP addresses and localhost. */
  allowHost: readonly string[];
  /** Returns true for the right token. Null: no token is needed. */
  isToken: ((token: string) => boolean) | null;
  /** Returns true for a request with a session's cookie, which replaces the token. */
  isLoggedIn: (headers: IncomingHttpHeaders) => boolean;
};

/** Returns the host of `host[:port]` or `[host]:port` in lower case; null for any other text. */
function hostname(authority: string): string | null {
  const match = /^(?:\[([\da-f:.]+)\]|([^\s:/?#@[\]]+))(?::\d{1,5})?$/i.exec(authority);
  return (match?.[1] ?? match?.[2])?.toLowerCase() ?? null;
}

/** Returns the `host[:port]` of a URL, without the scheme's default port; null when the text is not a URL. */
function authorityOf(origin: string): string | null {
  try {
    return new URL(origin).host;
  } catch {
    return null;
  }
}

/** The most Host headers that are remembered as allowed. */
const MAX_KNOWN_HOSTS = 100;

/** Returns the number of Host headers. @param rawHeaders names and values in turn */
function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Returns a function that compares a text with `token`. It compares hashes, so that its time reveals nothing. */
export function tokenCheck(token: string): (sent: string) => boolean {
  const expected = digest(token);
  return (sent) => timingSafeEqual(digest(sent), expected);
}

/** The line that mends a Host header that nginx changed. HAProxy and Caddy keep the header by themselves. */
const KEEP_HOST = 'behind a proxy keep the Host header, in nginx with: proxy_set_header Host $http_host;';

/**
 * Returns true for a request of HTTP/1.0 to a path, without Host and Origin, as haproxy's health check sends it. No
 * browser sends such a request.
 */
const isHostless = ({ httpVersion, headers, url = '' }: IncomingMessage): boolean =>
  httpVersion === '1.0' && headers.host === undefined && headers.origin === undefined && url.startsWith('/');

/**
 * Makes the guard: a function that throws a refusal for a request that is not allowed.
 *
 * A page of another site can send requests to this service from its visitor's browser. The guard recognizes them: an
 * attack by DNS rebinding needs a host name in `Host`, and a browser puts the page's own address into `Origin`.
 * https://owasp.org/www-community/attacks/DNS_Rebinding
 */
export function createGuard({ allowHost, isToken, isLoggedIn }: GuardOptions): (request: FastifyRequest) => void {
  const names = new Set(['localhost', ...allowHost.map((name) => name.toLowerCase())]);
  const expectedHosts = [...names].join(' or ');

  /** Host headers that are allowed: nearly all requests have the same one, which is then checked once. */
  const allowedHosts = new Set<string>();

  function checkHost(host: string | undefined, rawHeaders: readonly string[]): void {
    if (host === undefined) throw refusal('malformed', 'the Host header is missing: send one');
    // Node uses the first Host header, but a proxy in front may have used the last.
    // https://www.rfc-editor.org/rfc/rfc9112#section-3.2
    if (countHosts(rawHeaders) > 1) throw refusal('malformed', 'the request has more than one Host header: send one');
    if (allowedHosts.has(host)) return;
    const name = hostname(host);
    if (name === null)
      throw refusal(
        'malformed',
        `the Host header is ${quoteHeader(host)}, which is not host or host:port: send the address of this service`,
      );
    if (isIP(name) === 0 && !names.has(name))
      throw refusal(
        'foreign',
        `Host '${name}' is not allowed: use an IP address or ${expectedHosts}, or start with --allow-host ${name}; ${KEEP_HOST}`,
      );
    if (allowedHosts.size < MAX_KNOWN_HOSTS) allowedHosts.add(host);
  }

  /** Checks a request target that is a whole URL, because it overrides Host: RFC 9112, section 3.2.2. */
  function checkTarget(target: string, host: string): void {
    if (target.startsWith('/')) return;
    const authority = authorityOf(target);
    if (authority === null || authority !== authorityOf(`http://${host}`))
      throw refusal(
        'malformed',
        `the request target ${quoteHeader(target)} is neither a path nor a URL of the host in the Host header: send a path`,
      );
  }

  function checkOrigin(origin: string | undefined, host: string): void {
    if (origin === undefined) return;
    const scheme = origin.slice(0, origin.indexOf(':'));
    const authority = authorityOf(origin);
    if (authority === null || authority !== authorityOf(`${scheme}://${host}`))
      throw refusal(
        'foreign',
        `Origin ${quoteHeader(origin)} is another site than Host ${quoteHeader(host)}, whose Origin is http://${host} or https://${host}: requests from other sites are refused, use this service's own page; ${KEEP_HOST}`,
      );
  }

  function checkToken(headers: IncomingHttpHeaders, isToken: (token: string) => boolean): void {
    const sent = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
    if (sent === undefined ? isLoggedIn(headers) : isToken(sent)) return;
    const detail = sent === undefined ? 'a token is needed: send Authorization: Bearer TOKEN' : WRONG_TOKEN;
    throw refusal('no-token', detail);
  }

  return (request) => {
    const { headers, raw, originalUrl } = request;
    if (!isHostless(raw)) {
      checkHost(headers.host, raw.rawHeaders);
      checkTarget(originalUrl, headers.host as string);
      checkOrigin(headers.origin, headers.host as string);
    }
    // Fastify makes the object routeOptions anew each time that it is read.
    if (isToken !== null && !request.routeOptions.config.isOpen) checkToken(headers, isToken);
  };
}

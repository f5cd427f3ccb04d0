// The number of headers of a request. Node keeps a hundred bytes for each, also of a request that never ends: 16 KiB of
// headers of four bytes would be some 300 KiB, on every connection.
import type { IncomingMessage } from 'node:http';

/** The most headers of a request. It is far more than browsers and proxies send. */
const MAX_HEADERS = 200;

/**
 * The number of headers from which on Node drops further ones, Origin for example. So a request with as many is refused.
 * https://nodejs.org/api/http.html#servermaxheaderscount
 */
export const HEADERS_KEPT = MAX_HEADERS + 1;

export const TOO_MANY_HEADERS = `the request has more than ${MAX_HEADERS} headers: send fewer`;

export const hasTooManyHeaders = ({ rawHeaders }: IncomingMessage): boolean => rawHeaders.length > 2 * MAX_HEADERS;

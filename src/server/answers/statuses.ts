// The HTTP status of each kind of refusal, and the problem that is its body.
// https://www.rfc-editor.org/rfc/rfc9457
import { STATUS_CODES } from 'node:http';
import { Problem } from '../../protocol/problem.js';
import type { FieldError, Refusal, RefusalKind } from '../refusal.js';

export const PROBLEM_TYPE = 'application/problem+json';

type Headers = Record<string, string>;

/** The status and the headers of each kind of refusal. */
export const ANSWERS: Record<RefusalKind, { status: number; headers?: (refusal: Refusal) => Headers }> = {
  malformed: { status: 400 },
  'no-token': { status: 401, headers: () => ({ 'www-authenticate': 'Bearer' }) },
  'wrong-token': { status: 401 },
  foreign: { status: 403 },
  'unknown-target': { status: 404 },
  'unknown-path': { status: 404 },
  'wrong-method': { status: 405, headers: ({ allowed = [] }) => ({ allow: allowed.join(', ') }) },
  'too-large': { status: 413 },
  'coded-body': { status: 415, headers: () => ({ 'accept-encoding': 'identity' }) },
  'too-many-headers': { status: 431, headers: () => ({ connection: 'close' }) },
  unavailable: { status: 501 },
  busy: { status: 503, headers: ({ retryAfterS = 1 }) => ({ 'retry-after': `${retryAfterS}` }) },
};

/** Returns the problems that openapi.yaml lists for a route: the given statuses, and those of every request. */
export const problems = <const S extends number = never>(...more: S[]): Record<S | 400 | 403 | 503, typeof Problem> =>
  Object.fromEntries([400, 403, 503, ...more].map((status) => [status, Problem])) as Record<
    S | 400 | 403 | 503,
    typeof Problem
  >;

export function problem(status: number, detail: string, requestId?: string, errors?: FieldError[]): Problem {
  const title = STATUS_CODES[status] ?? 'Unknown';
  return { type: 'about:blank', title, status, detail, ...(requestId && { requestId }), ...(errors && { errors }) };
}

/** Makes the problem of a refusal, for an answer or for one of several results. */
export const problemOf = ({ kind, message, errors }: Refusal, requestId?: string): Problem =>
  problem(ANSWERS[kind].status, message, requestId, errors);

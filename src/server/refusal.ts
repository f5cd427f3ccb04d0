// A refusal: an error with the reason why no call was made. It has a kind; answers/statuses.ts gives each kind its HTTP
// status.
import type { Problem } from '../protocol/problem.js';
import { quoteBytes } from '../protocol/quote.js';

/** The limits that protect the service from its clients. */
export const LIMITS = [
  'body',
  'headers',
  'time',
  'connections',
  'subscribers',
  'waiting',
  'bursts',
  'wrong-tokens',
  'memory',
] as const;
export type Limit = (typeof LIMITS)[number];

export type RefusalKind =
  /** The request breaks the contract. */
  | 'malformed'
  | 'no-token'
  | 'wrong-token'
  /** A page of another site sent the request, or its Host is not allowed. */
  | 'foreign'
  | 'unknown-target'
  | 'unknown-path'
  | 'wrong-method'
  /** The body is over the limit. */
  | 'too-large'
  | 'too-many-headers'
  /** The body has a Content-Encoding, such as gzip. */
  | 'coded-body'
  /** The level or the target is not available on this machine. */
  | 'unavailable'
  /** A limit is reached, or the service is stopping: the same request may succeed later. */
  | 'busy';

export type FieldError = NonNullable<Problem['errors']>[number];

/** The optional parts of a refusal. */
type Details = {
  /** The fields of the request that are wrong. */
  errors?: FieldError[];
  /** The limit that was reached. */
  limit?: Limit;
  /** For `busy`: the time after which to try again, in seconds. */
  retryAfterS?: number;
  /** For `wrong-method`: the methods that the path accepts. */
  allowed?: string[];
};

export type Refusal = Error & Details & { kind: RefusalKind };

/**
 * Makes a refusal, to throw before any call is made.
 *
 * @param detail one line: the mistake, with the value that was sent, and what to do about it
 */
export function refusal(kind: RefusalKind, detail: string, details: Details = {}): Refusal {
  // No stack: a client's mistake is not a bug here, and taking a stack costs more than the rest of the answer.
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const error = Object.assign(new Error(detail), { kind }, details);
  Error.stackTraceLimit = limit;
  return error;
}

/** Makes a refusal of a request that may succeed in `retryAfterS` seconds. */
export const busy = (detail: string, limit?: Limit, retryAfterS = 1): Refusal =>
  refusal('busy', detail, { retryAfterS, ...(limit && { limit }) });

/** Makes a refusal of a write that has come too late: the service is stopping, or earlier writes took too long. */
export const tooLate = (reason: string, remedy = 'try again later'): Refusal =>
  busy(`${reason}, so no call was made: ${remedy}`);

/** The message about a wrong token, in `Authorization` or in POST /login. */
export const WRONG_TOKEN = 'the token is wrong: send the one that the service was started with';

export const isRefusal = (value: object): value is Refusal => value instanceof Error && 'kind' in value;

/**
 * Quotes the value of a header for a message, as `quote` does.
 *
 * @param value a header as node:http returns it, in latin1
 */
export const quoteHeader = (value: string): string => quoteBytes(Buffer.from(value, 'latin1'));

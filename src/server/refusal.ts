// A refusal: the reason why no call was made. It names the kind of obstacle; only answers/ knows its HTTP status.
import type { Problem } from '../protocol/problem.js';

/** Limits that keep clients from using the service up. */
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
  /** The request is not one that the contract knows. */
  | 'malformed'
  | 'no-token'
  | 'wrong-token'
  /** Another site's page sent it, or it names another host. */
  | 'foreign'
  | 'unknown-target'
  | 'unknown-path'
  | 'wrong-method'
  /** The body is over the limit. */
  | 'too-large'
  /** The body is compressed. */
  | 'coded-body'
  /** This machine cannot do it. */
  | 'unavailable'
  /** It may succeed at another time. */
  | 'busy';

export type FieldError = NonNullable<Problem['errors']>[number];

/** More about a refusal, where there is more. */
type Details = {
  /** The fields at fault. */
  errors?: FieldError[];
  /** The limit that was reached. */
  limit?: Limit;
  /** `busy`: when to try again, in seconds. */
  retryAfterS?: number;
  /** `wrong-method`: the methods that the path takes. */
  allowed?: string[];
};

export type Refusal = Error & Details & { kind: RefusalKind };

/**
 * An error to throw before any call is made.
 *
 * @param detail what is wrong and what to do about it
 */
export function refusal(kind: RefusalKind, detail: string, details: Details = {}): Refusal {
  // Clients' mistakes need no stack, and taking one costs more than the rest of the answer.
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const error = Object.assign(new Error(detail), { kind }, details);
  Error.stackTraceLimit = limit;
  return error;
}

/** A refusal of what may succeed in `retryAfterS` seconds. */
export const busy = (detail: string, limit?: Limit, retryAfterS = 1): Refusal =>
  refusal('busy', detail, { retryAfterS, ...(limit && { limit }) });

/** A refusal of a call that would have been made, had it come earlier. */
export const tooLate = (why: string): Refusal => busy(`${why}: no call was made`);

export const isRefusal = (value: object): value is Refusal => value instanceof Error && 'kind' in value;

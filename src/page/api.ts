// Requests to the service's HTTP interface.
import type { Problem } from '../protocol/problem.js';

/** The service refused a request; `problem` is its answer (RFC 9457). */
export class ProblemError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/**
 * Send a request and return the answer's JSON; undefined for a 204.
 *
 * @throws ProblemError if the service refuses, an AbortError if the caller aborts, an Error if no answer comes
 */
export async function request<T>(path: string, init: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    throw new Error('the service does not answer');
  }
  if (response.status === 204) return undefined as T;
  const body = await response.json();
  if (!response.ok) throw new ProblemError(body as Problem);
  return body as T;
}

export const post = <T>(path: string, body: object, init: RequestInit = {}): Promise<T> =>
  request<T>(path, {
    method: 'POST',
    body: JSON.stringify(body),
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers },
  });

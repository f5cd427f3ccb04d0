// The service's HTTP interface, as the page uses it.
import type { Problem } from '../protocol/problem.js';

/** The service said no, and why. */
export class Refused extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/**
 * Asks the service.
 *
 * @throws Refused with its problem; an Error when there is no answer
 */
export async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    throw new Error('the service does not answer');
  }
  if (answer.status === 204) return undefined as T;
  const body = await answer.json();
  if (!answer.ok) throw new Refused(body as Problem);
  return body as T;
}

export const post = <T>(path: string, body: object, init: RequestInit = {}): Promise<T> =>
  ask<T>(path, {
    method: 'POST',
    body: JSON.stringify(body),
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers },
  });

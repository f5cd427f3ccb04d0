// JSON from a request's body, or what is wrong with it.
import { isUtf8 } from 'node:buffer';
import type { FastifyRequest } from 'fastify';
import { refusal } from '../answers/problem.js';

/** Fastify's parser of application/json. By default a body that is no UTF-8 would be read, and written, with U+FFFD in it. */
export function parseJson(
  { headers }: FastifyRequest,
  body: Buffer,
  done: (error: Error | null, value?: unknown) => void,
): void {
  const coding = headers['content-encoding'] ?? 'identity';
  if (coding.toLowerCase() !== 'identity')
    done(
      refusal(415, `a body coded as '${coding}' is not taken: send it as it is`, undefined, {
        'accept-encoding': 'identity',
      }),
    );
  else if (body.length === 0) done(refusal(400, 'the body is empty: send JSON'));
  else if (!isUtf8(body)) done(refusal(400, 'the body is not valid UTF-8: send other bytes with "encoding": "base64"'));
  else done(...parsed(body.toString()));
}

function parsed(text: string): [error: Error | null, value?: unknown] {
  try {
    return [null, JSON.parse(text)];
  } catch (error) {
    return [refusal(400, `the body is not JSON: ${(error as SyntaxError).message}`)];
  }
}

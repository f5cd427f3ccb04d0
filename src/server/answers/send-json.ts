// Answers whose body is JSON already: put together from parts that were serialized before.
import type { FastifyReply } from 'fastify';

/** Sends text that is JSON of a `T`. */
export function sendJson<T>(reply: FastifyReply, text: string): T {
  reply.type('application/json; charset=utf-8').serializer((json: string) => json);
  return text as unknown as T;
}

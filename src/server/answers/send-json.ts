// Sends answers whose body is JSON already, made of parts that were serialized before.
import type { FastifyReply } from 'fastify';

/** Sets up an answer for text that is JSON of a `T`. @returns the text, for the route to return or send */
export function sendJson<T>(reply: FastifyReply, text: string): T {
  reply.type('application/json; charset=utf-8').serializer((json: string) => json);
  return text as unknown as T;
}

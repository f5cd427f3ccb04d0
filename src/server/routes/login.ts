// POST /login and /logout: begin and end a session, which replaces the token by a cookie.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import * as z from 'zod';
import { LoginRequest } from '../../protocol/service.js';
import { problems } from '../answers/statuses.js';
import { SMALLEST_LIMIT } from '../door/parse-json.js';
import type { Sessions } from '../door/sessions.js';

const Done = z.null().describe('Done. The answer has no body.');

export const loginRoutes: FastifyPluginAsyncZod<{ sessions: Sessions }> = async (app, { sessions }) => {
  app.post(
    '/login',
    {
      config: { isOpen: true },
      // The body is a token and nothing more, and a client needs no token to send it.
      bodyLimit: SMALLEST_LIMIT,
      schema: {
        operationId: 'login',
        summary: 'Exchange a token for a cookie',
        description:
          'For browsers, which cannot add a header to a WebSocket. The cookie is valid for twelve hours, or until the service is restarted.',
        tags: ['about'],
        security: [],
        body: LoginRequest,
        response: { 204: Done, ...problems(401, 413, 415) },
      },
    },
    async ({ body, headers }, reply) => {
      reply.header('set-cookie', await sessions.logIn(body.token, headers));
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/logout',
    {
      config: { isOpen: true },
      bodyLimit: SMALLEST_LIMIT,
      schema: {
        operationId: 'logout',
        summary: 'End the session and delete the cookie',
        tags: ['about'],
        security: [],
        response: { 204: Done, ...problems(413, 415) },
      },
    },
    ({ headers }, reply) => {
      reply.header('set-cookie', sessions.logOut(headers)).code(204).send(null);
    },
  );
};

// POST /login and /logout: a token in exchange for a cookie.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { LoginRequest } from '../../protocol/service.js';
import { problems } from '../answers/problem.js';
import type { Sessions } from '../door/sessions.js';

/** Anybody who can connect may send these: a token and nothing more. */
const BODY_LIMIT = 8 << 10;

const Done = z.null().describe('Done.');

export const loginRoutes: FastifyPluginAsyncZod<{ sessions: Sessions }> = async (app, { sessions }) => {
  app.post(
    '/login',
    {
      config: { isOpen: true },
      bodyLimit: BODY_LIMIT,
      schema: {
        operationId: 'login',
        summary: 'A token in exchange for a cookie',
        description:
          'For browsers, which cannot put a header on a WebSocket. The cookie is good for twelve hours, or until the service is started anew.',
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
      bodyLimit: BODY_LIMIT,
      schema: {
        operationId: 'logout',
        summary: 'Takes the cookie back',
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

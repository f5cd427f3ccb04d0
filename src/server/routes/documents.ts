// The documents: GET /openapi.yaml and /asyncapi.yaml, and Swagger UI at /docs.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import helmet from '@fastify/helmet';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyPluginAsync } from 'fastify';
import { pageHeaders } from '../answers/page-headers.js';
import { asyncApi } from '../documents/asyncapi.js';
import { SWAGGER_UI } from '../files.js';

/** Swagger UI's style sheet contains images, and its page one inline style element, which the hash allows. */
const POLICY = {
  imgSrc: ["'self'", 'data:'],
  styleSrc: ["'self'", "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='"],
};

export const documentRoutes: FastifyPluginAsync = async (app) => {
  await app.register(async (docs) => {
    await docs.register(helmet, pageHeaders(POLICY));
    // With `baseDir`, @fastify/swagger-ui sends the same files at every other path below /docs, too.
    docs.addHook('onRoute', (route) => {
      if (route.url === '/docs/*') route.handler = (_request, reply) => reply.callNotFound();
    });
    // By default @fastify/swagger-ui looks for its files beside its own code, which is bundled.
    const logo = { type: 'image/svg+xml', content: readFileSync(path.join(SWAGGER_UI, 'logo.svg')) };
    await docs.register(swaggerUi, { routePrefix: '/docs', baseDir: SWAGGER_UI, logo });
  });
  const type = 'application/yaml; charset=utf-8';
  app.get('/openapi.yaml', { schema: { hide: true } }, (_request, reply) => {
    reply.type(type).send(app.swagger({ yaml: true }));
  });
  app.get('/asyncapi.yaml', { schema: { hide: true } }, (_request, reply) => {
    reply.type(type).send(asyncApi());
  });
};

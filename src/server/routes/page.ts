// GET /: the monitor page's files, as scripts/build.mjs put them together.
import { fileURLToPath } from 'node:url';
import helmet from '@fastify/helmet';
import serveStatic from '@fastify/static';
import type { FastifyPluginAsync } from 'fastify';
import { pageHeaders } from '../answers/page-headers.js';

const ROOT = fileURLToPath(new URL('../../../dist/page', import.meta.url));

/** The files hold no secrets and need no token: the page itself asks for one. */
export const pageRoutes: FastifyPluginAsync = async (app) => {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, isOpen: true };
  });
  await app.register(helmet, pageHeaders());
  await app.register(serveStatic, { root: ROOT, wildcard: false });
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether it may be had without a token. */
    isOpen?: boolean;
  }
}

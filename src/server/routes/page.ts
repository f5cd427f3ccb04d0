// GET /: the files of the monitor page, which scripts/build.mjs makes.
import helmet from '@fastify/helmet';
import serveStatic from '@fastify/static';
import type { FastifyPluginAsync } from 'fastify';
import { pageHeaders } from '../answers/page-headers.js';
import { PAGE } from '../files.js';

/** The files contain no secrets, so they need no token. The page itself asks for it. */
export const pageRoutes: FastifyPluginAsync = async (app) => {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, isOpen: true };
  });
  await app.register(helmet, pageHeaders());
  await app.register(serveStatic, { root: PAGE, wildcard: false });
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True for a route that needs no token. */
    isOpen?: boolean;
  }
}

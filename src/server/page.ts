// GET /: the monitor page's files, as scripts/build.mjs put them together, with the headers that keep anything
// else out of it.
import { fileURLToPath } from 'node:url';
import helmet from '@fastify/helmet';
import serveStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

const ROOT = fileURLToPath(new URL('../../dist/page', import.meta.url));

/** Helmet's defaults allow inline styles, and send a browser to https where there is none. */
const HEADERS = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      objectSrc: ["'none'"],
    },
  },
  strictTransportSecurity: false,
  xFrameOptions: { action: 'deny' },
} as const;

/** Its files hold no secrets, and need no token: the page itself asks for one. */
export async function addPage(scope: FastifyInstance): Promise<void> {
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, isOpen: true };
  });
  await scope.register(helmet, HEADERS);
  await scope.register(serveStatic, { root: ROOT, wildcard: false });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether it may be had without a token. */
    isOpen?: boolean;
  }
}

// What a browser renders: the monitor page's files, as scripts/build.mjs put them together, and openapi.yaml's reader;
// with the headers that keep anything else out of them.
import { fileURLToPath } from 'node:url';
import helmet, { type FastifyHelmetOptions } from '@fastify/helmet';
import serveStatic from '@fastify/static';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

const ROOT = fileURLToPath(new URL('../../../dist/page', import.meta.url));

/** Helmet's defaults allow inline styles, and send a browser to https where there is none. */
const headers = (directives: Record<string, string[]> = {}): FastifyHelmetOptions => ({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      objectSrc: ["'none'"],
      ...directives,
    },
  },
  strictTransportSecurity: false,
  xFrameOptions: { action: 'deny' },
});

/** What Swagger UI needs besides: its pictures are in its style sheet, and the layout has one style element of its own. */
const SWAGGER_UI = {
  imgSrc: ["'self'", 'data:'],
  styleSrc: ["'self'", "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='"],
};

/** GET /docs: the reader. */
export async function addDocs(scope: FastifyInstance): Promise<void> {
  await scope.register(helmet, headers(SWAGGER_UI));
  await scope.register(swaggerUi, { routePrefix: '/docs' });
}

/** GET /: the page. Its files hold no secrets, and need no token: the page itself asks for one. */
export async function addPage(scope: FastifyInstance): Promise<void> {
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, isOpen: true };
  });
  await scope.register(helmet, headers());
  await scope.register(serveStatic, { root: ROOT, wildcard: false });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether it may be had without a token. */
    isOpen?: boolean;
  }
}

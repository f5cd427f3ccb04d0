// The headers of everything that a browser renders: nothing from elsewhere gets into it, and nobody may frame it.
import type { FastifyHelmetOptions } from '@fastify/helmet';

/**
 * Options for helmet. Its defaults allow inline styles, and send a browser to https where there is none.
 *
 * @param directives what a page needs besides
 */
export const pageHeaders = (directives: Record<string, string[]> = {}): FastifyHelmetOptions => ({
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

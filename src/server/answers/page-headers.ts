// The security headers of pages: a page loads nothing from other sites, and no site may show it in a frame.
import type { FastifyHelmetOptions } from '@fastify/helmet';

/**
 * Returns the options for helmet. Its defaults are not used: they allow inline styles, and send the browser to https,
 * which this service does not have.
 *
 * @param directives further directives of the Content-Security-Policy that a page needs
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

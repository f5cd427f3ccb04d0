// Answers requests that no route takes.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { nearest } from '../../protocol/choices.js';
import { quote } from '../../protocol/quote.js';
import { refusal } from '../refusal.js';

/**
 * Refuses a request without a route: as a wrong method if the path has another one, else as an unknown path.
 *
 * OPTIONS of a path that can be read is answered: it is HAProxy's stock health check.
 */
export function answerUnknown(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply): void {
  const path = request.url.split('?', 1)[0] as string;
  // Fastify answers HEAD wherever GET is, and a 405 must name every method: RFC 9110, section 15.5.6.
  const allowed = ['GET', 'HEAD', 'POST'].filter((method) => app.hasRoute({ method, url: path }));
  if (allowed.length === 0) {
    const meant = nearest(path, Object.keys(app.swagger().paths ?? {}));
    throw refusal(
      'unknown-path',
      `there is nothing at ${quote(path)}: ${meant === undefined ? '' : `did you mean ${meant}? `}/docs lists the paths`,
    );
  }
  if (request.method === 'OPTIONS' && allowed.includes('GET')) {
    reply.code(204).header('allow', allowed.join(', ')).send();
    return;
  }
  throw refusal('wrong-method', `${quote(path)} does not accept ${request.method}: use ${allowed.join(' or ')}`, {
    allowed,
  });
}

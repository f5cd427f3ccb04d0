// Upgrades to anything but WebSocket are ignored, and the request is served as if the header were not there:
// https://www.rfc-editor.org/rfc/rfc9110#section-7.8. Java's HttpClient and `curl --http2` offer h2c with every request.
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** Headers that ask for an upgrade. */
const UPGRADE_HEADERS = new Set(['upgrade', 'http2-settings']);

export const isWebSocketUpgrade = ({ headers, httpVersion }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === 'websocket' && httpVersion === '1.1';

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/**
 * Decides in Node 24.9 and later whether a request is taken for an upgrade. One that is not taken, and has no body, would
 * lose the requests that are pipelined behind it; one with a body would lose that if it were taken.
 */
export const isUpgrade = (request: IncomingMessage): boolean => isWebSocketUpgrade(request) || !hasBody(request);

/** The head of a request without what asks for an upgrade. Node decodes headers as Latin-1. */
function plainHead({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    let value = rawHeaders[i + 1] as string;
    if (UPGRADE_HEADERS.has(name.toLowerCase())) continue;
    if (name.toLowerCase() === 'connection')
      value = value
        .split(',')
        .filter((option) => !UPGRADE_HEADERS.has(option.trim().toLowerCase()))
        .join(',');
    if (value !== '') lines.push(`${name}: ${value}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/**
 * Gives a request that Node took for an upgrade back to its server, as a plain one. Node has removed its parser from the
 * connection: the server gets the connection as a new one, with the request in front.
 *
 * Node 24.9 and later come here only with requests that have no body: see `isUpgrade`.
 */
export function serveAsPlain(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  if (socket.destroyed) return;
  socket.unshift(Buffer.concat([plainHead(request), head]));
  server.emit('connection', socket);
}

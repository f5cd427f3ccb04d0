// What never becomes a request of Fastify's is refused on the connection itself, with a whole answer all the same.
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionError } from 'fastify';
import { PROBLEM_TYPE, problem } from '../answers/problem.js';
import type { Counts, Limit } from '../metrics/counters.js';

const CLIENT_ERRORS: Record<string, { status: number; detail: string; limit: Limit }> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    detail: 'the headers are too large: send fewer or shorter ones',
    limit: 'headers',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    detail: 'the request did not arrive in time: send it faster',
    limit: 'time',
  },
};

/** Node's: the answer that a connection's client waits for. */
const answeringOn = (socket: Socket): ServerResponse | undefined =>
  (socket as Socket & { _httpMessage?: ServerResponse })._httpMessage;

export type Wire = {
  /** What Node's parser refuses before there is a whole request: https://nodejs.org/api/http.html#event-clienterror */
  onClientError: (error: ConnectionError, socket: Socket) => void;
  /** Node closes without a word by itself, and leaves the socket's errors to us: https://nodejs.org/api/http.html#event-connect */
  onConnect: (request: IncomingMessage, socket: Socket) => void;
  /** Node's own 417 has no body: https://nodejs.org/api/http.html#event-checkexpectation */
  onExpectation: (request: IncomingMessage, response: ServerResponse) => void;
  /**
   * Refuses an upgrade behind requests that have no answer yet: it cannot have the connection. The others are `upgrades`,
   * a server that only passes them on.
   */
  onUpgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => void;
  upgrades: Server;
  /** What ws refuses: a handshake that is none. */
  onHandshakeError: (error: Error, socket: Socket) => void;
};

export function createWire(counts: Counts): Wire {
  /** Connections that were refused, or will be in their turn: the parser says so again at each further chunk. */
  const refused = new WeakSet<Socket>();
  const upgrades = createServer();

  function refuse(socket: Socket, status: number, detail: string, headers: Record<string, string> = {}): void {
    counts.answer(status);
    const body = JSON.stringify(problem(status, detail));
    const fields = {
      'Content-Type': PROBLEM_TYPE,
      'Content-Length': Buffer.byteLength(body),
      Connection: 'close',
      ...headers,
    };
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
  }

  /** Refuses what a connection said last, once every whole request before it has its answer. */
  function refuseInTurn(socket: Socket, status: number, detail: string): void {
    const answering = answeringOn(socket);
    if (!socket.writable) return;
    if (answering?.req.complete) answering.once('finish', () => refuseInTurn(socket, status, detail));
    // Answered before all of it was there.
    else if (answering?.headersSent) answering.once('finish', () => socket.end());
    // No request, or one whose rest never comes: nobody else answers it.
    else refuse(socket, status, detail);
  }

  return {
    onClientError(error, socket) {
      if (error.code === 'ECONNRESET' || !socket.writable) {
        socket.destroy();
        return;
      }
      if (refused.has(socket)) return;
      refused.add(socket);
      const known = CLIENT_ERRORS[error.code];
      if (known) counts.limit(known.limit);
      refuseInTurn(socket, known?.status ?? 400, known?.detail ?? `this is not HTTP/1.1: ${error.message}`);
    },

    onConnect(_request, socket) {
      socket.on('error', () => socket.destroy());
      refuseInTurn(socket, 501, 'this is no proxy: CONNECT is not offered');
    },

    onExpectation({ headers, method }, response) {
      counts.answer(417, method);
      const detail = `Expect: ${headers.expect} cannot be met: leave it out, or send 100-continue`;
      const body = JSON.stringify(problem(417, detail));
      response.writeHead(417, { 'content-type': PROBLEM_TYPE, 'content-length': Buffer.byteLength(body) }).end(body);
    },

    upgrades,
    onUpgrade(request, socket, head) {
      if (answeringOn(socket)) {
        socket.on('error', () => socket.destroy());
        refuseInTurn(socket, 400, 'an upgrade cannot stand behind other requests: send it on a connection of its own');
        return;
      }
      upgrades.emit('upgrade', request, socket, head);
      // Refused before any hook ran, for its URL: @fastify/websocket would leave it open.
      answeringOn(socket)?.once('finish', () => socket.destroySoon());
    },

    onHandshakeError(error, socket) {
      refuse(socket, 400, error.message, { 'Sec-WebSocket-Version': '13, 8' });
    },
  };
}

// Errors below Fastify. Input that never becomes a Fastify request gets a complete answer on its connection.
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionError } from 'fastify';
import { PROBLEM_TYPE, problem } from '../answers/statuses.js';
import type { Counters } from '../metrics/counters.js';
import { type Limit, quoteHeader } from '../refusal.js';
import { ANSWER_HEADERS } from './admit.js';
import { hasTooManyHeaders, TOO_MANY_HEADERS } from './headers.js';
import { isLingering, linger } from './linger.js';
import { hasBody, isWebSocketUpgrade, serveAsPlain } from './upgrades.js';

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

/** Returns the answer that a connection's client is waiting for. Node has it in a private field only. */
const answeringOn = (socket: Socket): ServerResponse | undefined =>
  (socket as Socket & { _httpMessage?: ServerResponse })._httpMessage;

export type ProtocolErrors = {
  /** Answers input that Node's parser refuses: https://nodejs.org/api/http.html#event-clienterror */
  onClientError: (error: ConnectionError, socket: Socket) => void;
  /**
   * Answers CONNECT. Without a handler, Node closes the connection without an answer. With one, Node does not handle
   * the socket's errors: https://nodejs.org/api/http.html#event-connect
   */
  onConnect: (request: IncomingMessage, socket: Socket) => void;
  /** Answers an unknown Expect. Node's own 417 has no body: https://nodejs.org/api/http.html#event-checkexpectation */
  onExpectation: (request: IncomingMessage, response: ServerResponse) => void;
  /** Refuses an upgrade behind requests without an answer: they still need the connection. Passes on all others. */
  onUpgrade: (server: Server, request: IncomingMessage, socket: Socket, head: Buffer) => void;
  /** A server that only emits `upgrade`, for the upgrades that `onUpgrade` passes on. ws listens to it. */
  upgrades: Server;
  /** Answers a handshake that ws refuses. */
  onHandshakeError: (error: Error, socket: Socket) => void;
};

export function createProtocolErrors(counters: Counters): ProtocolErrors {
  /** Connections that are refused already: the parser emits the error again for each chunk of input. */
  const refused = new WeakSet<Socket>();
  const upgrades = createServer();

  /** @param isSending whether the client may still be sending */
  function refuse(
    socket: Socket,
    status: number,
    detail: string,
    { isSending = false, headers = {} }: { isSending?: boolean; headers?: Record<string, string> } = {},
  ): void {
    counters.answer(status);
    const body = JSON.stringify(problem(status, detail));
    const fields = {
      'Content-Type': PROBLEM_TYPE,
      'Content-Length': Buffer.byteLength(body),
      Connection: 'close',
      ...ANSWER_HEADERS,
      ...headers,
    };
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    const answer = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`;
    if (!isSending) {
      socket.end(answer, () => socket.destroy());
      return;
    }
    socket.write(answer);
    linger(socket);
  }

  /** Refuses the last input of a connection, after every complete request before it has its answer. */
  function refuseAfterEarlierAnswers(socket: Socket, status: number, detail: string, isSending = false): void {
    const answering = answeringOn(socket);
    if (!socket.writable) return;
    if (answering?.req.complete)
      answering.once('finish', () => refuseAfterEarlierAnswers(socket, status, detail, isSending));
    // The request was answered before its body was complete.
    else if (answering?.headersSent) answering.once('finish', () => socket.end());
    // There is no request, or an incomplete one, which nothing else answers.
    else refuse(socket, status, detail, { isSending });
  }

  return {
    onClientError(error, socket) {
      // Its rest is read and dropped.
      if (isLingering(socket)) return;
      if (error.code === 'ECONNRESET' || !socket.writable) {
        socket.destroy();
        return;
      }
      if (refused.has(socket)) return;
      refused.add(socket);
      const known = CLIENT_ERRORS[error.code];
      if (known) counters.limit(known.limit);
      refuseAfterEarlierAnswers(
        socket,
        known?.status ?? 400,
        known?.detail ?? `the request is not valid HTTP/1.1: ${error.message}`,
        known?.limit !== 'time',
      );
    },

    onConnect(_request, socket) {
      socket.on('error', () => socket.destroy());
      refuseAfterEarlierAnswers(
        socket,
        501,
        'CONNECT is not supported, because this service is not a proxy: send requests to it directly',
      );
    },

    onExpectation({ headers, method }, response) {
      counters.answer(417, method);
      const detail = `Expect ${quoteHeader(headers.expect ?? '')} is not supported: leave it out, or send 100-continue`;
      const body = JSON.stringify(problem(417, detail));
      const length = Buffer.byteLength(body);
      response.writeHead(417, { 'content-type': PROBLEM_TYPE, 'content-length': length, ...ANSWER_HEADERS }).end(body);
    },

    upgrades,
    onUpgrade(server, request, socket, head) {
      const answering = answeringOn(socket);
      if (hasTooManyHeaders(request)) {
        socket.on('error', () => socket.destroy()).resume();
        counters.limit('headers');
        refuseAfterEarlierAnswers(socket, 431, TOO_MANY_HEADERS, true);
        return;
      }
      if (!isWebSocketUpgrade(request)) {
        if (answering) answering.once('finish', () => serveAsPlain(server, request, socket, head));
        else serveAsPlain(server, request, socket, head);
        return;
      }
      if (answering) {
        socket.on('error', () => socket.destroy());
        refuseAfterEarlierAnswers(
          socket,
          400,
          'an upgrade must not follow unanswered requests: send it on a new connection',
        );
        return;
      }
      // Node has versions that pass such a body on as frames, and versions that keep it.
      if (hasBody(request)) {
        socket.on('error', () => socket.destroy()).resume();
        const detail = 'an upgrade to WebSocket must not have a body: leave out Content-Length and Transfer-Encoding';
        refuse(socket, 400, detail, { isSending: true });
        return;
      }
      upgrades.emit('upgrade', request, socket, head);
      // If Fastify refuses the URL of an upgrade before any hook runs, @fastify/websocket leaves the socket open.
      answeringOn(socket)?.once('finish', () => socket.destroySoon());
    },

    onHandshakeError(error, socket) {
      refuse(socket, 400, error.message, { headers: { 'Sec-WebSocket-Version': '13, 8' } });
    },
  };
}

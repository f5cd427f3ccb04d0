// buildApp(): puts the service together. It opens targets and adds routes, but does not listen.
import '../syscalls/require-node.js';
import { randomUUID } from 'node:crypto';
import swagger from '@fastify/swagger';
import websocket from '@fastify/websocket';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { LEVEL_IDS } from '../protocol/names.js';
import { levels } from '../syscalls/index.js';
import { answerError, refuseUnknown } from './answers/problem.js';
import { serializerCompiler } from './answers/serialize.js';
import { createBurst } from './calls/burst.js';
import { createCalls } from './calls/call.js';
import { openTargets } from './calls/targets.js';
import { createWriter } from './calls/write.js';
import { OPENAPI } from './documents/openapi.js';
import { addHeaders, createAdmission, createRequestIds } from './door/admit.js';
import { createBudget, defaultBudget } from './door/budget.js';
import { limitConnections } from './door/connections.js';
import { createGuard, tokenCheck } from './door/guard.js';
import { isBodyMissing, lingerAtClose } from './door/linger.js';
import { createJsonParser } from './door/parse-json.js';
import { createProtocolErrors } from './door/protocol-errors.js';
import { createSessions } from './door/sessions.js';
import { createShutdown } from './lifecycle/shutdown.js';
import { createTasks } from './lifecycle/tasks.js';
import { createCounters } from './metrics/counters.js';
import { createMetrics } from './metrics/prometheus.js';
import { createJournal } from './records/journal.js';
import { openRecordFile, recordTo } from './records/record-file.js';
import { createStream } from './records/stream.js';
import { aboutRoutes } from './routes/about.js';
import { callRoutes } from './routes/calls.js';
import { documentRoutes } from './routes/documents.js';
import { eventRoutes } from './routes/events.js';
import { loginRoutes } from './routes/login.js';
import { pageRoutes } from './routes/page.js';

export type AppOptions = {
  /** Targets besides `stdout` and `stderr`: name → path. */
  targets?: Record<string, string>;
  /** Whether there are fault targets (on Linux by default). */
  faults?: boolean;
  /** Names besides IP addresses and localhost that `Host` may give. */
  allowHost?: readonly string[];
  /** The token that `Authorization: Bearer` must carry; undefined: none is needed. */
  token?: string | undefined;
  /** How many records are kept (65,536). */
  history?: number;
  /** How many may be subscribed to the stream at once (256). */
  maxSubscribers?: number;
  /** How many writes may wait for one target (100). */
  maxWaiting?: number;
  /** A file to append every record to. */
  record?: string | undefined;
  /** The largest body, in bytes (4 MiB). */
  bodyLimit?: number;
  /** How much memory all requests may hold, in bytes (a quarter of what there is, 32 to 512 MiB). */
  heldBytes?: number;
  /** Gets a function that writes the last records, to be called when the process ends without `close`. */
  atExit?: (last: () => void) => void;
  /** A pino logger; undefined: nothing is logged. */
  logger?: FastifyBaseLogger;
};

export const DEFAULTS = {
  history: 65_536,
  maxSubscribers: 256,
  maxWaiting: 100,
  bodyLimit: 4 << 20,
  heldBytes: defaultBudget(),
  faults: process.platform === 'linux',
};
/** Connections besides those of subscribers: many more than the clients of one machine open. */
const MAX_CONNECTIONS = 1000;
/** How long a request may take to arrive, headers and body: 4 MiB at 70 kB a second. */
const REQUEST_TIMEOUT_MS = 60_000;
/**
 * How long a connection may be silent in both directions: longer than any request may wait, so that only a client that
 * does not take its answer is cut off.
 */
const SILENCE_MS = 90_000;
/** How late a request that takes longer may be noticed. Node's own 30 s would make a minute one and a half. */
const REQUEST_CHECK_MS = 5000;
/** Node's own limit. It is many times the longest query and a browser's cookies for all ports of this host. */
const MAX_HEADER_BYTES = 16 << 10;

/**
 * Builds the service, ready for `listen` or `inject`. `close` ends it as lifecycle/shutdown.ts describes.
 *
 * @throws an error with `code` when a target or the record file cannot be opened, or a name is taken
 */
export function buildApp(options: AppOptions = {}): FastifyInstance {
  const settings = { ...DEFAULTS, ...options };
  const recordFile = options.record === undefined ? undefined : openRecordFile(options.record);
  let targets: ReturnType<typeof openTargets>;
  try {
    targets = openTargets(options.targets ?? {}, settings.faults);
  } catch (error) {
    recordFile?.close();
    throw error;
  }

  const service = { run: randomUUID().slice(0, 8), pid: process.pid, started: Date.now() };
  const counters = createCounters(LEVEL_IDS.length, targets.all.length);
  const deliveries = { stream: { delivered: 0, lost: 0 }, file: { delivered: 0, lost: 0 } };
  const journal = createJournal({ capacity: settings.history, levels: LEVEL_IDS, targets: targets.all });
  const tasks = createTasks();
  const calls = createCalls({ levels, targets, journal, counters });
  const writer = createWriter({ calls, tasks, targets, maxWaiting: settings.maxWaiting, counters });
  const burst = createBurst({ calls, tasks });
  const { maxSubscribers } = settings;
  const stream = createStream({ journal, service, maxSubscribers, delivery: deliveries.stream });
  const isToken = options.token === undefined ? null : tokenCheck(options.token);
  const sessions = createSessions(isToken ?? (() => true), tasks);
  const protocolErrors = createProtocolErrors(counters);
  const budget = createBudget(settings.heldBytes);

  const app: FastifyInstance = fastify({
    ...(options.logger && { loggerInstance: options.logger }),
    // The records are the log of requests.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: settings.bodyLimit,
    // Our own answers to these two are problems: see door/.
    return503OnClosing: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: SILENCE_MS,
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false,
      connectionsCheckingInterval: REQUEST_CHECK_MS,
    },
    genReqId: createRequestIds(service.run),
    frameworkErrors: (error, request, reply) => {
      // Too early for any hook.
      addHeaders(request, reply);
      counters.answer(error.statusCode ?? 500, request.method);
      answerError(error, request, reply, counters);
    },
    clientErrorHandler: protocolErrors.onClientError,
  });
  const connections = limitConnections(app.server, MAX_CONNECTIONS + maxSubscribers, () =>
    counters.limit('connections'),
  );
  // By default Node drops the headers after the 2000th, and Origin may be among them. Their size has a limit anyway.
  app.server.maxHeadersCount = 0;
  app.server.on('checkExpectation', protocolErrors.onExpectation);
  app.server.on('connect', protocolErrors.onConnect);
  app.server.on('upgrade', protocolErrors.onUpgrade);

  let stopRecording = (): void => {};
  if (recordFile) {
    stopRecording = recordTo(recordFile, journal, deliveries.file, (error) => {
      if (error) app.log.error({ err: error, file: options.record }, 'the record file takes nothing: records wait');
      else app.log.info({ file: options.record }, 'the record file takes records again');
    });
    options.atExit?.(stopRecording);
  }
  const shutdown = createShutdown({
    tasks,
    endCalls: calls.end,
    endStream: stream.stop,
    cutConnections: () => app.server.closeAllConnections(),
    closeFiles() {
      stopRecording();
      for (const target of targets.all) target.close();
    },
  });

  app.setErrorHandler((error: Parameters<typeof answerError>[0], request, reply) =>
    answerError(error, request, reply, counters),
  );
  app.setNotFoundHandler((request) => refuseUnknown(app, request));
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeAllContentTypeParsers();
  app.decorateRequest('answer');
  app.addContentTypeParser('application/json', createJsonParser(budget, settings.bodyLimit));

  // Before the admission: a refused upgrade is answered through the hooks that this adds, and with them its socket is
  // closed; the other way round it stays open and blocks close().
  app.register(websocket, {
    options: { server: protocolErrors.upgrades, maxPayload: 1024, handleProtocols: () => false, autoPong: false },
    // ws has closed the connection already, with the code that says why.
    errorHandler: (error, _socket, request) => request.log.debug({ err: error }, 'subscriber'),
    preClose(done) {
      shutdown.begin();
      done();
    },
  });
  app.after(() => app.websocketServer.on('wsClientError', protocolErrors.onHandshakeError));

  const guard = createGuard({ allowHost: options.allowHost ?? [], isToken, isLoggedIn: sessions.isLoggedIn });
  app.addHook('onRequest', createAdmission({ connections, guard, isStopping: shutdown.isStopping }));
  app.addHook('onSend', ({ raw }, reply, payload, done) => {
    const isEarly = isBodyMissing(raw);
    // Kept alive after its answer, a connection would block close().
    if (isEarly || shutdown.isStopping()) reply.header('connection', 'close');
    if (!raw.complete) lingerAtClose(raw);
    done(null, payload);
  });
  // Once an answer has left. Answers are also made for clients that have left or were refused on the wire.
  app.addHook('onResponse', (request, reply, done) => {
    counters.answer(reply.statusCode, request.method, request.routeOptions.url);
    done();
  });
  app.addHook('onClose', shutdown.finish);

  const metrics = createMetrics({
    counters,
    targets: targets.all,
    connections: connections.open,
    subscribers: stream.subscribers,
    waiting: writer.waiting,
    deliveries,
  });
  // First, since it collects the routes that come after it.
  app.register(swagger, OPENAPI);
  app.register(callRoutes, { writer, burst, budget });
  app.register(eventRoutes, { targets, journal, stream, service, counters });
  app.register(aboutRoutes, { levels, targets, journal, service, needsToken: isToken !== null, metrics });
  app.register(loginRoutes, { sessions });
  app.register(documentRoutes);
  app.register(pageRoutes);
  return app;
}

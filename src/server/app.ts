// buildApp(): puts the service together. It opens targets and adds routes, but does not listen.
import '../syscalls/require-node.js';
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import swagger from '@fastify/swagger';
import websocket from '@fastify/websocket';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { LEVEL_IDS } from '../protocol/names.js';
import { levels, witnessAvailability } from '../syscalls/index.js';
import { answerError } from './answers/errors.js';
import { answerUnknown } from './answers/not-found.js';
import { serializerCompiler } from './answers/serialize.js';
import { createBurst } from './calls/burst.js';
import { createCalls } from './calls/call.js';
import { openTargets } from './calls/targets.js';
import { createWriter } from './calls/write.js';
import { DEFAULTS } from './defaults.js';
import { OPENAPI } from './documents/openapi.js';
import { addHeaders, createAdmission, createRequestIds } from './door/admit.js';
import { createBudget, holdAnswer } from './door/budget.js';
import { limitConnections } from './door/connections.js';
import { createGuard, tokenCheck } from './door/guard.js';
import { HEADERS_KEPT } from './door/headers.js';
import { isBodyMissing, lingerAtClose } from './door/linger.js';
import { createJsonParser } from './door/parse-json.js';
import { createProtocolErrors } from './door/protocol-errors.js';
import { createSessions } from './door/sessions.js';
import { isUpgrade } from './door/upgrades.js';
import { validatorCompiler } from './door/validate.js';
import { createShutdown } from './lifecycle/shutdown.js';
import { createTasks } from './lifecycle/tasks.js';
import { createCounters } from './metrics/counters.js';
import { createMetrics } from './metrics/prometheus.js';
import type { AppOptions, Logger } from './options.js';
import { createJournal } from './records/journal.js';
import { openRecordFile, recordTo } from './records/record-file.js';
import { createStream } from './records/stream.js';
import { aboutRoutes } from './routes/about.js';
import { callRoutes } from './routes/calls.js';
import { documentRoutes } from './routes/documents.js';
import { eventRoutes } from './routes/events.js';
import { loginRoutes } from './routes/login.js';
import { pageRoutes } from './routes/page.js';
import { VERSION } from './version.js';

export type { AppOptions } from './options.js';

/** The most connections besides those of subscribers: many more than the clients of one machine open. */
const MAX_CONNECTIONS = 1000;
/** The time that a request has to arrive, with headers and body, in ms: enough for 4 MiB at 70 kB per second. */
const REQUEST_TIMEOUT_MS = 60_000;
/**
 * The time that a connection may be silent in both directions, longer than any request may wait: so only a client that
 * does not take its answer is cut off.
 */
const SILENCE_MS = 90_000;
/** The time between two checks for such requests, in ms. With Node's default of 30 s, one could last 90 s. */
const REQUEST_CHECK_MS = 5000;
/** Node's own limit. It is far more than the longest query and a browser's cookies for all ports of this host need. */
const MAX_HEADER_BYTES = 16 << 10;

/**
 * Returns a logger that is its own child. Fastify makes a child for each request, and hardly any request logs: the lines
 * that are about one have its id anyway.
 */
function childless(logger: Logger): FastifyBaseLogger {
  const own = Object.create(logger) as Logger;
  own.child = () => own;
  return own as FastifyBaseLogger;
}

/**
 * Builds the service, ready for `listen` or `inject`. Its `close` goes through the phases of lifecycle/shutdown.ts.
 *
 * @throws an error with `code` when a target or the record file cannot be opened; an error when two targets have the
 *   same name, or when every call is to have a witness and there is none
 */
export function buildApp(options: AppOptions = {}): FastifyInstance {
  const settings = { ...DEFAULTS, ...options };
  const { reason } = settings.witness ? witnessAvailability() : { reason: null };
  if (reason !== null) throw new Error(`the witness is not available here: ${reason}`);
  const recordFile = options.record === undefined ? undefined : openRecordFile(options.record);
  let targets: ReturnType<typeof openTargets>;
  try {
    targets = openTargets(options.targets ?? {}, settings.faults);
  } catch (error) {
    recordFile?.close();
    throw error;
  }

  function logRecordError(error: Error | null): void {
    const file = options.record;
    if (error) app.log.error({ err: error, file }, 'the record file takes nothing: records wait in memory');
    else app.log.info({ file }, 'the record file can be written again');
  }

  function logReopened(why: string, error: Error | null): void {
    const file = options.record;
    if (error)
      app.log.error({ err: error, file }, `the record file cannot be opened again (${why}): the old one goes on`);
    else app.log.info({ file }, `the record file was opened again: ${why}`);
  }

  const service = {
    run: randomUUID().slice(0, 8),
    pid: process.pid,
    started: Date.now(),
    host: hostname(),
    version: VERSION,
  };
  const counters = createCounters(LEVEL_IDS.length, targets.all.length);
  const deliveries = { stream: { delivered: 0, lost: 0 }, file: { delivered: 0, lost: 0 } };
  const journal = createJournal({
    capacity: settings.history,
    run: service.run,
    levels: LEVEL_IDS,
    targets: targets.all,
  });
  const tasks = createTasks();
  const calls = createCalls({
    levels,
    targets,
    journal,
    counters,
    screen: options.screen,
    witnessAll: settings.witness,
  });
  const recording =
    recordFile &&
    recordTo(recordFile, {
      service,
      journal,
      delivery: deliveries.file,
      onError: logRecordError,
      onReopened: logReopened,
    });
  if (recording) {
    options.atExit?.(recording.close);
    options.onReopen?.(recording.reopen);
  }
  const { maxWaiting } = settings;
  const writer = createWriter({ calls, tasks, targets, maxWaiting, counters, onCalled: recording?.flush });
  const burst = createBurst({ calls, tasks });
  const { maxSubscribers } = settings;
  const stream = createStream({ journal, service, maxSubscribers, delivery: deliveries.stream });
  const isToken = options.token === undefined ? null : tokenCheck(options.token);
  const sessions = createSessions(isToken ?? (() => true), tasks);
  const protocolErrors = createProtocolErrors(counters);
  const budget = createBudget(settings.heldBytes);

  const app: FastifyInstance = fastify({
    ...(options.logger && { loggerInstance: childless(options.logger) }),
    // No log of requests: the records have every call.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: settings.bodyLimit,
    // door/ refuses requests during a stop and requests without Host (requireHostHeader), with a problem.
    return503OnClosing: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: SILENCE_MS,
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false,
      connectionsCheckingInterval: REQUEST_CHECK_MS,
      // Spread, because the types of Node 20 do not have it.
      ...{ shouldUpgradeCallback: isUpgrade },
    },
    genReqId: createRequestIds(service.run),
    frameworkErrors: (error, request, reply) => {
      // These errors occur before any hook runs.
      addHeaders(request, reply);
      counters.answer(error.statusCode ?? 500, request.method);
      answerError(error, request, reply, counters);
    },
    clientErrorHandler: protocolErrors.onClientError,
  });
  const connections = limitConnections(app.server, MAX_CONNECTIONS + maxSubscribers, () =>
    counters.limit('connections'),
  );
  app.server.maxHeadersCount = HEADERS_KEPT;
  app.server.on('checkExpectation', protocolErrors.onExpectation);
  app.server.on('connect', protocolErrors.onConnect);
  app.server.on('upgrade', (request, socket, head) =>
    protocolErrors.onUpgrade(app.server, request, socket as Socket, head),
  );

  const shutdown = createShutdown({
    tasks,
    endCalls: calls.end,
    endStream: stream.stop,
    cutRequests: () => app.server.closeAllConnections(),
    cutConnections: connections.cut,
    closeFiles() {
      recording?.close();
      for (const target of targets.all) target.close();
    },
  });

  app.setErrorHandler((error: Parameters<typeof answerError>[0], request, reply) =>
    answerError(error, request, reply, counters),
  );
  app.setNotFoundHandler((request, reply) => answerUnknown(app, request, reply));
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeAllContentTypeParsers();
  app.decorateRequest('answer');
  app.addContentTypeParser('application/json', createJsonParser(budget, settings.bodyLimit));

  // Register this before the admission hook: its own hooks close the socket of a refused upgrade. In the other order,
  // the socket stays open and blocks close().
  app.register(websocket, {
    options: { server: protocolErrors.upgrades, maxPayload: 1024, handleProtocols: () => false, autoPong: false },
    // ws has closed the connection already, with the code for the error.
    errorHandler: (error, _socket, request) =>
      request.log.debug({ err: error, requestId: request.id }, "error on a subscriber's connection"),
    preClose(done) {
      shutdown.begin();
      done();
    },
  });
  app.after(() => app.websocketServer.on('wsClientError', protocolErrors.onHandshakeError));

  const guard = createGuard({ allowHost: options.allowHost ?? [], isToken, isLoggedIn: sessions.isLoggedIn });
  app.addHook('onRequest', createAdmission({ connections, budget, guard, isStopping: shutdown.isStopping }));
  app.addHook('onSend', ({ raw }, reply, payload, done) => {
    const isEarly = isBodyMissing(raw);
    // An idle keep-alive connection would block close().
    if (isEarly || shutdown.isStopping()) reply.header('connection', 'close');
    if (!raw.complete) lingerAtClose(raw);
    holdAnswer(budget, reply.raw, payload);
    done(null, payload);
  });
  // Not in onSend: answers are also made for clients that have left, or that were refused on the wire.
  app.addHook('onResponse', (request, reply, done) => {
    connections.onAnswered(request.raw.socket, reply.raw);
    counters.answer(reply.statusCode, request.method, request.routeOptions.url);
    done();
  });
  app.addHook('onClose', shutdown.finish);
  // A run whose port is in use leaves no line in the record file.
  app.addHook('onListen', (done) => {
    // Later, because serve.ts hides log lines until the service listens, and an error is logged once.
    if (recording) setImmediate(recording.begin);
    done();
  });

  const metrics = createMetrics({
    counters,
    targets: targets.all,
    connections: connections.open,
    subscribers: stream.subscribers,
    waiting: writer.waiting,
    deliveries,
  });
  // Before the routes: it collects those that are registered after it.
  app.register(swagger, OPENAPI);
  app.register(callRoutes, { writer, burst, budget, witnessAll: settings.witness });
  app.register(eventRoutes, { targets, journal, stream, service, counters });
  app.register(aboutRoutes, {
    levels,
    targets,
    journal,
    service,
    needsToken: isToken !== null,
    metrics,
    witnessAll: settings.witness,
  });
  app.register(loginRoutes, { sessions });
  app.register(documentRoutes);
  app.register(pageRoutes);
  return app;
}

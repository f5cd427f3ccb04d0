// The routes about the service itself: GET /levels, /targets, /health and /metrics.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { LEVEL_IDS, type LevelId } from '../../protocol/names.js';
import { Health, Levels, METRICS_TYPE, Metrics, Targets as TargetList } from '../../protocol/service.js';
import type { Level } from '../../syscalls/contract.js';
import { elsewhere, witnessAvailability } from '../../syscalls/index.js';
import { createSightings } from '../../syscalls/witness/sighting.js';
import { problems } from '../answers/statuses.js';
import type { Targets } from '../calls/targets.js';
import type { Journal } from '../records/journal.js';
import type { ServiceRun } from '../records/run.js';

export type AboutRoutes = {
  levels: Record<LevelId, Level>;
  targets: Targets;
  journal: Journal;
  service: ServiceRun;
  needsToken: boolean;
  /** Makes the text of GET /metrics. */
  metrics: () => Promise<string>;
  /** True if every call has a witness. */
  witnessAll: boolean;
};

export const aboutRoutes: FastifyPluginAsyncZod<AboutRoutes> = async (app, deps) => {
  const { levels, targets, journal, service, needsToken, metrics, witnessAll } = deps;
  const sightingOf = createSightings(levels);

  app.get(
    '/levels',
    {
      schema: {
        operationId: 'levels',
        summary: 'List the levels, with the way of each into the kernel',
        tags: ['about'],
        response: { 200: Levels, ...problems(401) },
      },
    },
    () => ({
      levels: LEVEL_IDS.map((id) => {
        const { code, write: _, ...level } = levels[id];
        return { ...level, code: code && Buffer.from(code).toString('hex'), witnessed: sightingOf(id) };
      }),
      witness: { ...witnessAvailability(), always: witnessAll },
      elsewhere,
    }),
  );

  app.get(
    '/targets',
    {
      schema: {
        operationId: 'targets',
        summary: 'List the targets of writes',
        tags: ['about'],
        response: { 200: TargetList, ...problems(401) },
      },
    },
    () => ({
      targets: targets.all.map(({ name, kind, shared, expects, reason }) => {
        const available = reason === null;
        return { name, kind, shared, expects, available, reason };
      }),
    }),
  );

  app.get(
    '/health',
    {
      // Open without a token, because a container's health check has none.
      config: { isOpen: true },
      schema: {
        operationId: 'health',
        summary: 'Check that the service answers',
        description: 'Needs no token.',
        tags: ['about'],
        security: [],
        response: { 200: Health, ...problems() },
      },
    },
    () => ({ status: 'ok' as const, ...service, next: journal.next(), token: needsToken }),
  );

  app.get(
    '/metrics',
    {
      schema: {
        operationId: 'metrics',
        summary: 'Read the metrics, for Prometheus',
        description:
          "Calls by level, target and result, bytes, durations, HTTP answers, refusals by limit, subscribers, records delivered and lost, and waiting writes. Also prom-client's figures of the process and of the event loop's lag.",
        tags: ['about'],
        response: { 200: Metrics, ...problems(401) },
      },
    },
    async (_request, reply) =>
      reply
        .type(METRICS_TYPE)
        .serializer((text: string) => text)
        .send(await metrics()),
  );
};

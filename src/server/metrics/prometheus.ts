// The text of GET /metrics: the counters and the present state, in Prometheus's format.
// https://prometheus.io/docs/instrumenting/exposition_formats/
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import { LEVEL_IDS } from '../../protocol/names.js';
import { osError } from '../../syscalls/bindings/errno.js';
import type { Target } from '../../syscalls/targets/target.js';
import type { Delivery } from '../records/cursor.js';
import { LIMITS } from '../refusal.js';
import { VERSION } from '../version.js';
import { BUCKET_ENDS, type Counters } from './counters.js';

export type MetricsOptions = {
  counters: Counters;
  targets: readonly Target[];
  /** How many are connected, and how many of them to the stream. */
  connections: () => number;
  subscribers: () => number;
  /** How many requests wait for each target. */
  waiting: () => number[];
  /** What the readers of the journal were given. */
  deliveries: Record<'stream' | 'file', Delivery>;
};

type Labels = Record<string, string | number>;
type Sample = { labels: Labels; value: number; metricName?: string };
/** What the registry asks of a metric. prom-client's own count for themselves, 220 ns each time; ours take 8. */
type Family = { name: string; help: string; type: 'counter' | 'gauge' | 'histogram'; samples: () => Sample[] };

let figures: Registry | undefined;

/**
 * Of the process, which has one event loop, however many services are in it. Begun when somebody asks: measuring the
 * loop's lag takes a timer of 10 ms, which who traces an idle service would see.
 */
function processFigures(): Registry {
  if (!figures) {
    figures = new Registry();
    collectDefaultMetrics({ register: figures });
    // Without a measurement since they were last asked for, these are 9e9 s and NaN; the percentiles and the longest are 0.
    for (const each of ['min', 'mean', 'stddev']) figures.removeSingleMetric(`nodejs_eventloop_lag_${each}_seconds`);
  }
  return figures;
}

/** @returns what makes the text */
export function createMetrics(options: MetricsOptions): () => Promise<string> {
  const { counters, targets, connections, subscribers, waiting, deliveries } = options;
  const levelOf = ({ level }: { level: number }): string => LEVEL_IDS[level] as string;
  const targetOf = ({ target }: { target: number }): string => targets[target]?.name as string;
  const one = (value: number, labels: Labels = {}): Sample[] => [{ labels, value }];

  const callDurations = (): Sample[] =>
    counters.durations().flatMap(({ level, durations: { buckets, sum } }) => {
      const labels = { level: levelOf({ level }) };
      let calls = 0;
      const upTo = Array.from(buckets, (more, at) => {
        calls += more;
        const end = BUCKET_ENDS[at];
        return {
          labels: { le: end === undefined ? '+Inf' : end / 1e9, ...labels },
          value: calls,
          metricName: 'bucket',
        };
      });
      return [...upTo, { labels, value: sum / 1e9, metricName: 'sum' }, { labels, value: calls, metricName: 'count' }];
    });

  const FAMILIES: Family[] = [
    {
      name: 'syswire_calls_total',
      type: 'counter',
      help: 'Calls made, by what the operating system said: OK, or the name of its error.',
      samples: () =>
        counters.calls().flatMap((pair) => {
          const labels = { level: levelOf(pair), target: targetOf(pair) };
          const refused = Array.from(pair.refused, ([result, value]) => ({
            labels: { ...labels, code: osError(result)?.code as string },
            value,
          }));
          return [...one(pair.taken, { ...labels, code: 'OK' }), ...refused];
        }),
    },
    {
      name: 'syswire_written_bytes_total',
      type: 'counter',
      help: 'Bytes that the operating system took.',
      samples: () =>
        counters.calls().flatMap((pair) => one(pair.written, { level: levelOf(pair), target: targetOf(pair) })),
    },
    {
      name: 'syswire_call_duration_seconds',
      type: 'histogram',
      help: 'How long a call took.',
      samples: callDurations,
    },
    {
      name: 'syswire_http_requests_total',
      type: 'counter',
      help: 'Answers given; what never came to a route has none.',
      samples: () => Array.from(counters.answers(), ({ times, ...labels }) => ({ labels, value: times })),
    },
    {
      name: 'syswire_limited_total',
      type: 'counter',
      help: 'How often a limit kept somebody out.',
      samples: () => LIMITS.flatMap((limit) => one(counters.limits[limit], { limit })),
    },
    {
      name: 'syswire_connections',
      type: 'gauge',
      help: 'Connections open now.',
      samples: () => one(connections()),
    },
    {
      name: 'syswire_subscribers',
      type: 'gauge',
      help: 'Subscribers of the stream now.',
      samples: () => one(subscribers()),
    },
    {
      name: 'syswire_waiting_writes',
      type: 'gauge',
      help: 'Requests with a timeoutMs that a target has now.',
      samples: () => waiting().flatMap((value, target) => one(value, { target: targetOf({ target }) })),
    },
    {
      name: 'syswire_records_delivered_total',
      type: 'counter',
      help: 'Records given to subscribers of the stream, and to the record file.',
      samples: () => Object.entries(deliveries).flatMap(([reader, { delivered }]) => one(delivered, { reader })),
    },
    {
      name: 'syswire_records_lost_total',
      type: 'counter',
      help: 'Records that the ring overtook before they were given, as the gaps told them.',
      samples: () => Object.entries(deliveries).flatMap(([reader, { lost }]) => one(lost, { reader })),
    },
    {
      name: 'syswire_build_info',
      type: 'gauge',
      help: 'The version, as a label.',
      samples: () => one(1, { version: VERSION }),
    },
  ];

  const registry = new Registry();
  for (const { samples, ...family } of FAMILIES) {
    const get = async () => ({
      ...family,
      values: samples().map(({ metricName, ...sample }) => ({
        ...sample,
        metricName: metricName ? `${family.name}_${metricName}` : family.name,
      })),
    });
    registry.registerMetric({ ...family, get } as unknown as Metric);
  }
  return async () => `${await registry.metrics()}\n${await processFigures().metrics()}`;
}

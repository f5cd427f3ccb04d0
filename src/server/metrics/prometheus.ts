// Makes the text of GET /metrics from the counters and the present state, in Prometheus's format.
// https://prometheus.io/docs/instrumenting/exposition_formats/
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import { LEVEL_IDS } from '../../protocol/names.js';
import { osError } from '../../syscalls/bindings/errno.js';
import type { Target } from '../../syscalls/targets/target.js';
import type { Delivery } from '../records/cursor.js';
import { LIMITS } from '../refusal.js';
import { VERSION } from '../version.js';
import { BUCKET_ENDS, type Counters, type Witnessed } from './counters.js';

export type MetricsOptions = {
  counters: Counters;
  targets: readonly Target[];
  /** Returns the number of open connections. */
  connections: () => number;
  /** Returns the number of subscribers of the stream. */
  subscribers: () => number;
  /** Returns the number of writes that run or wait in the queue of each target. */
  waiting: () => number[];
  /** The records that the readers of the journal received and lost. */
  deliveries: Record<'stream' | 'file', Delivery>;
};

type Labels = Record<string, string | number>;
type Sample = { labels: Labels; value: number; metricName?: string };
/** The part of prom-client's Metric that its registry uses. Its own counters take 220 ns per call; ours take 8 ns. */
type Family = { name: string; help: string; type: 'counter' | 'gauge' | 'histogram'; samples: () => Sample[] };

let figures: Registry | undefined;

/**
 * Returns the figures of the process: one registry for all services in it, because they share the event loop. It is
 * made at the first request: it measures the event loop's lag with a timer of 10 ms, which would show up in a trace of
 * an idle service.
 */
function processFigures(): Registry {
  if (!figures) {
    figures = new Registry();
    collectDefaultMetrics({ register: figures });
    // If nothing was measured since the last request, prom-client reports 9e9 s or NaN for these three.
    for (const each of ['min', 'mean', 'stddev']) figures.removeSingleMetric(`nodejs_eventloop_lag_${each}_seconds`);
    // Gauges whose names end like those of counters; `sum(nodejs_active_handles)` is the same figure.
    for (const each of ['handles', 'requests', 'resources']) figures.removeSingleMetric(`nodejs_active_${each}_total`);
  }
  return figures;
}

/** Returns a function that makes the text. */
export function createMetrics(options: MetricsOptions): () => Promise<string> {
  const { counters, targets, connections, subscribers, waiting, deliveries } = options;
  const levelOf = ({ level }: { level: number }): string => LEVEL_IDS[level] as string;
  const targetOf = ({ target }: { target: number }): string => targets[target]?.name as string;
  const one = (value: number, labels: Labels = {}): Sample[] => [{ labels, value }];

  const byLevel = (pick: (seen: Witnessed) => number): Sample[] =>
    counters.witnessed.flatMap((seen, level) => (seen.calls > 0 ? one(pick(seen), { level: levelOf({ level }) }) : []));

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
      help: 'Calls made, by result: OK, or the name of the error.',
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
      help: 'Bytes that the operating system accepted.',
      samples: () =>
        counters.calls().flatMap((pair) => one(pair.written, { level: levelOf(pair), target: targetOf(pair) })),
    },
    {
      name: 'syswire_call_duration_seconds',
      type: 'histogram',
      help: 'Durations of calls.',
      samples: callDurations,
    },
    {
      name: 'syswire_witnessed_calls_total',
      type: 'counter',
      help: 'Calls made under a witness.',
      samples: () => byLevel(({ calls }) => calls),
    },
    {
      name: 'syswire_witness_disagreements_total',
      type: 'counter',
      help: 'Calls under a witness whose verdict was not `agrees`.',
      samples: () => byLevel(({ disagreed }) => disagreed),
    },
    {
      name: 'syswire_http_requests_total',
      type: 'counter',
      help: 'HTTP answers. The route is empty for unmatched requests, the method for requests that could not be parsed.',
      samples: () => Array.from(counters.answers(), ({ times, ...labels }) => ({ labels, value: times })),
    },
    {
      name: 'syswire_limited_total',
      type: 'counter',
      help: 'Requests and connections that were refused because of a limit.',
      samples: () => LIMITS.flatMap((limit) => one(counters.limits[limit], { limit })),
    },
    {
      name: 'syswire_connections',
      type: 'gauge',
      help: 'Open connections.',
      samples: () => one(connections()),
    },
    {
      name: 'syswire_subscribers',
      type: 'gauge',
      help: 'Subscribers of the stream.',
      samples: () => one(subscribers()),
    },
    {
      name: 'syswire_waiting_writes',
      type: 'gauge',
      help: 'Writes with a timeoutMs that run or wait, by target.',
      samples: () => waiting().flatMap((value, target) => one(value, { target: targetOf({ target }) })),
    },
    {
      name: 'syswire_records_delivered_total',
      type: 'counter',
      help: 'Records sent to subscribers of the stream, or written to the record file.',
      samples: () => Object.entries(deliveries).flatMap(([reader, { delivered }]) => one(delivered, { reader })),
    },
    {
      name: 'syswire_records_lost_total',
      type: 'counter',
      help: 'Records that were overwritten before they could be sent or written. Each is part of a gap.',
      samples: () => Object.entries(deliveries).flatMap(([reader, { lost }]) => one(lost, { reader })),
    },
    {
      name: 'syswire_build_info',
      type: 'gauge',
      help: 'Always 1. The label is the version.',
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
  const read = async (): Promise<string> => `${await registry.metrics()}\n${await processFigures().metrics()}`;
  let latest: { text: Promise<string>; changes: number } | undefined;
  return () => {
    // Requests of one turn of the event loop share one text unless something was counted meanwhile: a client may send a
    // thousand at once, and each would read the figures of the process from a dozen files.
    const changes = counters.changes();
    if (latest?.changes === changes) return latest.text;
    latest = { text: read(), changes };
    setImmediate(() => {
      latest = undefined;
    });
    return latest.text;
  };
}

// Makes the stream's contract in AsyncAPI 3 from the shapes of its lines: the file asyncapi.yaml, and the answer of
// GET /asyncapi.yaml. https://www.asyncapi.com/docs/reference/specification/v3.0.0
import { stringify } from 'yaml';
import * as z from 'zod';
import { CallRecord, End, EventsQuery, Gap, Hello, StreamError } from '../../protocol/records.js';
import { VERSION } from '../version.js';

const LINES = { hello: Hello, call: CallRecord, gap: Gap, end: End, error: StreamError };

const DESCRIPTION = `The service sends a record of every call that it makes, as soon as it has made the call. If records are lost, it sends their numbers.

**Lines.** A text frame holds one or more lines of JSON. Each message below is one line. The first line of a connection is \`hello\`. After it, the service sends a \`call\` line for each call that matches the filters, in the order of \`seq\`. If you read more slowly than calls are made, the oldest records are overwritten, and you receive a \`gap\` line with their range. So no record is missing without notice: without filters, the \`call\` and \`gap\` lines together contain every number from \`since\` on exactly once.

**Resuming.** Remember \`run\` from \`hello\`. Remember also the next number: one more than the last \`seq\` of a \`call\`, or than the last \`to\` of a \`gap\`. When the connection is lost, connect again with \`?since=NEXT&run=RUN\`. The service sends the records that you missed, or a \`gap\` for those that were overwritten. Then the stream goes on live.

**After a restart** the service has a new \`run\`, and \`seq\` begins at 1 again. If you ask for the old \`run\`, the service sends \`hello\` and \`error\`, and closes with 1008. Take the new \`run\` from that \`hello\`, and connect with \`?since=1\`. Records of the old run are lost, unless the old service wrote them to a file with \`--record\`. Such a file has the same lines. Each run begins with \`hello\` and ends with \`end\`; a run without \`end\` still goes on, or was killed. After a rotation, \`hello\` comes again.

**Closing.** 1001: the service is stopping, and makes no more calls. The last line is \`end\`, with the \`seq\` of the last call. If you were too slow for the last records, a \`gap\` with their range comes before it. 1008: you sent a message, which this stream does not accept, or the service cannot begin at your \`since\`; in that case the last line is an \`error\` with the reason. If a connection ends without one of these codes, it was cut: you cannot know whether more calls were made. The service cuts a connection that shows no sign of life for five minutes: no pong arrives, and no frame leaves.

**Refused requests.** A request that is wrong is answered before the upgrade, with application/problem+json (see openapi.yaml): 400, 401, 403 or 404. The status is 503 if the number of subscribers has reached its limit.`;

/** Removes what zod adds to every JSON Schema: the bounds of safe integers, and its own `$id` and `$ref` addresses. */
function plain(schema: object): object {
  return JSON.parse(JSON.stringify(schema), (key, value) =>
    key === '$schema' || key === '$id' || key === 'definitions' || Math.abs(value) === Number.MAX_SAFE_INTEGER
      ? undefined
      : key === '$ref'
        ? value.replace('#/definitions/', '#/components/schemas/')
        : value,
  );
}

/** Returns these schemas, and all that they refer to. */
function withReferences(ids: readonly string[], schemas: Record<string, object>): Record<string, object> {
  const used = new Set(ids);
  // A Set also visits what is added meanwhile.
  for (const id of used)
    for (const [, other = ''] of JSON.stringify(schemas[id]).matchAll(/"#\/components\/schemas\/(\w+)"/g))
      used.add(other);
  return Object.fromEntries(Array.from(used, (id) => [id, schemas[id] as object]));
}

/** Makes the document. @returns YAML */
export function asyncApi(): string {
  const options = { target: 'draft-7', uri: (id: string) => `#/components/schemas/${id}` } as const;
  const { schemas } = z.toJSONSchema(z.globalRegistry, options);
  const id = (shape: z.ZodType): string => shape.meta()?.id as string;
  const messages = Object.entries(LINES).map(([name, shape]) => {
    const { description, examples } = shape.meta() as { description: string; examples: object[] };
    const payload = { $ref: `#/components/schemas/${id(shape)}` };
    return [
      name,
      {
        name,
        title: name,
        summary: description,
        contentType: 'application/json',
        payload,
        examples: examples.map((payload) => ({ payload })),
      },
    ];
  });
  const names = Object.keys(LINES);
  return stringify(
    {
      asyncapi: '3.0.0',
      info: {
        title: 'syswire events',
        version: VERSION,
        description: DESCRIPTION,
        license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
      },
      defaultContentType: 'application/json',
      servers: {
        local: {
          host: '127.0.0.1:8080',
          protocol: 'ws',
          description: 'The service at its default address.',
          security: [{ $ref: '#/components/securitySchemes/token' }],
        },
      },
      channels: {
        events: {
          address: '/events',
          title: 'Events',
          description: 'The stream of records. The query gives the first record to send, and the filters.',
          messages: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }])),
          bindings: {
            ws: {
              method: 'GET',
              query: plain(z.toJSONSchema(EventsQuery.omit({ limit: true }), { target: 'draft-7', io: 'input' })),
              bindingVersion: '0.1.0',
            },
          },
        },
      },
      operations: {
        tell: {
          action: 'send',
          title: 'Send records',
          summary: 'The service sends a record of every call to its subscribers.',
          channel: { $ref: '#/channels/events' },
          messages: names.map((name) => ({ $ref: `#/channels/events/messages/${name}` })),
        },
      },
      components: {
        messages: Object.fromEntries(messages),
        schemas: withReferences(Object.values(LINES).map(id), plain(schemas) as Record<string, object>),
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description: 'Needed only if the service was started with a token.',
          },
        },
      },
    },
    { lineWidth: 100, aliasDuplicateObjects: false },
  );
}

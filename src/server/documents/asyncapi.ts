// The stream's contract as AsyncAPI 3, made from the shapes of its lines: GET /asyncapi.yaml, and the file of that
// name. https://www.asyncapi.com/docs/reference/specification/v3.0.0
import { stringify } from 'yaml';
import { z } from 'zod';
import { CallRecord, EventsQuery, Gap, Hello, StreamError } from '../../protocol/records.js';
import { VERSION } from '../version.js';

const LINES = { hello: Hello, call: CallRecord, gap: Gap, error: StreamError };

const DESCRIPTION = `A record of every call that the service makes, as it makes them, and of every record that could not be delivered.

A text frame holds one line of JSON or more; a message below is one such line. The first line of a connection is \`hello\`. After it come \`call\` for each call that passes the filters, in the order of \`seq\`, and \`gap\` for records that were lost because this reader was slower than the calls. Lines and gaps together leave nothing out: when \`since\` was S, the calls told of and the numbers in gaps are all from S on (without filters, each exactly once).

**Resuming.** Remember \`run\` from \`hello\`, and the number after the last one that you were told of (\`seq\` of a call, \`to\` of a gap). After a lost connection connect again with \`?since=NEXT&run=RUN\`: what you missed is replayed, or told as a \`gap\` where the ring has overtaken it, and then the stream goes on live.

**After a restart** the service has another \`run\`, and its \`seq\` begins at 1 again. Asked for the \`run\` that is over, it sends \`hello\` and \`error\` and closes with 1008. Take the new \`run\` from that \`hello\`, and connect with \`?since=1\`. Records of the old run that you had not seen are gone, unless it kept them with \`--record\`.

**Closing.** 1001: the service is stopping, and has told you of every call: what you could not take within a moment is a last \`gap\`. 1008: it was sent a message (none are expected), or \`since\` cannot be served; the \`error\` line says why. A connection that ends without such a code was cut, and you cannot know what came after. A reader that gives no sign of life for five minutes (no pong, no frame taken) is dropped. What is wrong with the request itself is answered before the upgrade, as application/problem+json (openapi.yaml): 400, 401, 403, 404, or 503 when there are as many subscribers as there may be.`;

/** The JSON Schema of a shape, without what zod adds to each: bounds that say nothing, and addresses of its own. */
function plain(schema: object): object {
  return JSON.parse(JSON.stringify(schema), (key, value) =>
    key === '$schema' || key === '$id' || key === 'definitions' || Math.abs(value) === Number.MAX_SAFE_INTEGER
      ? undefined
      : key === '$ref'
        ? value.replace('#/definitions/', '#/components/schemas/')
        : value,
  );
}

/** The document, as YAML. */
export function asyncApi(): string {
  const options = { target: 'draft-7', uri: (id: string) => `#/components/schemas/${id}` } as const;
  const { schemas } = z.toJSONSchema(z.globalRegistry, options);
  const id = (shape: z.ZodType): string => shape.meta()?.id as string;
  const used = [...Object.values(LINES).map(id), 'LevelName', 'OsError'];
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
          description: 'The service, where it listens by default.',
          security: [{ $ref: '#/components/securitySchemes/token' }],
        },
      },
      channels: {
        events: {
          address: '/events',
          title: 'Events',
          description: 'The stream. The query says where to begin, and what to be told of.',
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
          title: 'Tell of calls',
          summary: 'The service tells its subscribers of every call.',
          channel: { $ref: '#/channels/events' },
          messages: names.map((name) => ({ $ref: `#/channels/events/messages/${name}` })),
        },
      },
      components: {
        messages: Object.fromEntries(messages),
        schemas: Object.fromEntries(used.map((name) => [name, plain(schemas[name] as object)])),
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: 'Only if the service was started with a token.' },
        },
      },
    },
    { lineWidth: 100, aliasDuplicateObjects: false },
  );
}

// The contract as OpenAPI 3.1, made from the routes and their shapes: GET /openapi.yaml, /docs, and
// the file of that name.
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { LEVEL_IDS } from '../../protocol/names.js';
import { PROBLEM_TYPE, problem } from '../answers/problem.js';
import { VERSION } from '../version.js';

const PROBLEMS: Record<string, { description: string; detail: string }> = {
  400: {
    description: 'The request is malformed; `errors` names the fields. No call was made.',
    detail: `#/level: Invalid option: expected one of ${LEVEL_IDS.map((id) => `"${id}"`).join('|')}`,
  },
  401: {
    description: 'The service was started with a token, and the request has none or another. No call was made.',
    detail: 'a token is needed: send Authorization: Bearer TOKEN',
  },
  403: {
    description: 'Refused by `Host` or `Origin`. No call was made.',
    detail:
      "Host 'evil.example' is not allowed: use an IP address or localhost, or start with --allow-host evil.example",
  },
  404: {
    description: 'There is no such target. No call was made.',
    detail: "there is no target 'printer': GET /targets lists them, --target name=path adds one",
  },
  413: {
    description: 'The body is over the limit. No call was made.',
    detail: 'the body is over the limit of 4194304 bytes: send less, or start with a larger --body-limit',
  },
  415: {
    description: 'The body is not JSON. No call was made.',
    detail: 'send a body of Content-Type: application/json',
  },
  501: {
    description: 'The level, or the fault target, is not available on this machine. No call was made.',
    detail: "level 'raw' is not available here: no assembly for linux on riscv64 yet",
  },
  503: {
    description: 'Too much waits already, or the service is stopping. No call was made.',
    detail: '100 writes wait for this target, as many as may: try again later, or start with a larger --max-waiting',
  },
};

const PARAMETERS = {
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    description:
      'The id that this request’s records carry: 1 to 64 letters, digits, dots, dashes or underscores. One is made where there is none, or another text.',
    schema: { type: 'string' },
    example: 'my-test-1',
  },
};
const HEADERS = {
  RequestId: {
    description: 'The id that this request’s records carry. None if the request could not be read.',
    schema: { type: 'string' },
  },
  RetryAfter: { description: 'In how many seconds to try again.', schema: { type: 'integer', minimum: 1 } },
};
const header = (name: keyof typeof HEADERS) => ({ $ref: `#/components/headers/${name}` });

// Only what is touched here; @fastify/swagger's own types are of three versions of OpenAPI at once.
type Document = {
  paths?: Record<string, Record<string, { parameters?: object[]; responses: Record<string, object> }>>;
  components?: { schemas?: Record<string, object> };
};

const refsIn = (part: unknown): string[] =>
  [...JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, id]) => id as string);

/** What an answer is, in the words of its shape. */
function describe({ components }: Document, response: object): string {
  const shape = components?.schemas?.[refsIn(response)[0] ?? ''] as { description?: string } | undefined;
  return shape?.description ?? 'Done.';
}

/** Every problem by reference, with its own media type and an example; and the headers that all have. */
function addProblems(document: Document): Document {
  const told = { 'X-Request-Id': header('RequestId') };
  for (const operation of Object.values(document.paths ?? {}).flatMap(Object.values)) {
    operation.parameters = [...(operation.parameters ?? []), { $ref: '#/components/parameters/RequestId' }];
    for (const [status, response] of Object.entries<object>(operation.responses))
      operation.responses[status] = PROBLEMS[status]
        ? { $ref: `#/components/responses/Problem${status}` }
        : { ...response, description: describe(document, response), headers: told };
  }
  const schema = { $ref: '#/components/schemas/Problem' };
  const responses = Object.entries(PROBLEMS).map(([status, { description, detail }]) => {
    const content = { [PROBLEM_TYPE]: { schema, example: problem(Number(status), detail, '3fa9c1d2-1') } };
    const headers = status === '503' ? { ...told, 'Retry-After': header('RetryAfter') } : told;
    return [`Problem${status}`, { description, headers, content }];
  });
  const components = {
    ...document.components,
    parameters: PARAMETERS,
    headers: HEADERS,
    responses: Object.fromEntries(responses),
  };
  return { ...document, components };
}

/**
 * fastify-type-provider-zod lists each shape twice, `X` as it is answered and `XInput` as it is
 * sent. Kept is what is used, under the one name.
 */
function nameOnce(document: Document): Document {
  const schemas = document.components?.schemas ?? {};
  const used = new Set<string>();
  const use = (part: unknown): void => {
    for (const id of refsIn(part)) {
      if (used.has(id)) continue;
      used.add(id);
      use(schemas[id]);
    }
  };
  use([document.paths, { ...document.components, schemas: {} }]);
  const once = [...used].sort().map((id) => [id.replace(/Input$/, ''), schemas[id]]);
  const renamed = { ...document, components: { ...document.components, schemas: Object.fromEntries(once) } };
  const text = JSON.stringify(renamed).replace(/("#\/components\/schemas\/\w+)Input"/g, '$1"');
  // zod bounds every integer by what a double holds exactly, which tells a reader nothing.
  return JSON.parse(text, (_key, value) => (Math.abs(value) === Number.MAX_SAFE_INTEGER ? undefined : value));
}

/** Options for @fastify/swagger, which collects the routes that are added after it. */
export const OPENAPI: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'syswire',
      version: VERSION,
      description:
        'The `write` system call at the level of abstraction you pick, for real, and a record of every call.\n\n2xx if and only if the operating system was asked. Its refusal is a result (`error`), not a failure of the service; everything else is `application/problem+json` and made no call.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'The service that this was read from.' }],
    tags: [
      { name: 'calls', description: 'Making calls.' },
      { name: 'records', description: 'What was called.' },
      { name: 'about', description: 'What there is to call.' },
    ],
    security: [{}, { token: [] }],
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Only if the service was started with a token.' },
      },
    },
  },
  transform: jsonSchemaTransform,
  transformObject: (input) => nameOnce(addProblems(jsonSchemaTransformObject(input) as Document)),
};

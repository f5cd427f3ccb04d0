// Makes the contract in OpenAPI 3.1 from the routes and their shapes, for openapi.yaml, GET /openapi.yaml and /docs.
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { joinWithOr } from '../../protocol/format.js';
import { LEVEL_IDS } from '../../protocol/names.js';
import { PROBLEM_TYPE, problem } from '../answers/statuses.js';
import { VERSION } from '../version.js';

const PROBLEMS: Record<string, { description: string; detail: string }> = {
  400: {
    description: 'The request is malformed. `errors` lists the fields that are wrong. No call was made.',
    detail: `level 'RAW' is unknown: use ${joinWithOr(LEVEL_IDS)}; did you mean raw?`,
  },
  401: {
    description:
      'The service was started with a token, and the token of the request is missing or wrong. No call was made.',
    detail: 'a token is needed: send Authorization: Bearer TOKEN',
  },
  403: {
    description: 'The `Host` or the `Origin` of the request is not allowed. No call was made.',
    detail:
      "Host 'evil.example' is not allowed: use an IP address or localhost, or start with --allow-host evil.example; behind a proxy keep the Host header, in nginx with: proxy_set_header Host $http_host;",
  },
  404: {
    description: 'The target is unknown. No call was made.',
    detail:
      "there is no target 'printer': GET /targets lists them; start the service with --target printer=PATH to add it",
  },
  413: {
    description: 'The body is too large. No call was made.',
    detail: 'the body is over the limit of 4194304 bytes: send less, or start with a larger --body-limit',
  },
  415: {
    description: 'The body is not JSON. No call was made.',
    detail: "Content-Type 'text/plain' is not supported: send JSON, with Content-Type: application/json",
  },
  501: {
    description: 'The level or the fault target is not available on this machine. No call was made.',
    detail: "level 'raw' is not available here: no assembly for linux on riscv64 yet",
  },
  503: {
    description: 'A limit is reached, or the service is stopping. No call was made.',
    detail:
      "target 'stdout' has reached the limit of 100 waiting writes: try again later, or start with a larger --max-waiting",
  },
};

const PARAMETERS = {
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    description:
      'An id for the request, which its records will have: 1 to 64 letters, digits, dots, dashes or underscores. If the header is missing or is another text, the service makes an id.',
    schema: { type: 'string' },
    example: 'my-test-1',
  },
};
const HEADERS = {
  RequestId: {
    description: 'The id of the request, which its records have. Missing if the request could not be read.',
    schema: { type: 'string' },
  },
  RetryAfter: {
    description: 'The number of seconds after which to try again.',
    schema: { type: 'integer', minimum: 1 },
  },
};
const header = (name: keyof typeof HEADERS) => ({ $ref: `#/components/headers/${name}` });

// The parts that this file changes. The types of @fastify/swagger are unions over three versions of OpenAPI.
type Document = {
  paths?: Record<string, Record<string, { parameters?: object[]; responses: Record<string, object> }>>;
  components?: { schemas?: Record<string, object> };
};

const refsIn = (part: unknown): string[] =>
  [...JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, id]) => id as string);

/** Returns the description of an answer, which is that of its shape. */
function describe({ components }: Document, response: object): string {
  const shape = components?.schemas?.[refsIn(response)[0] ?? ''] as { description?: string } | undefined;
  return shape?.description ?? 'Done.';
}

/** Completes the operations: problems get descriptions and examples, and every answer gets the common headers. */
function addProblems(document: Document): Document {
  const answerHeaders = { 'X-Request-Id': header('RequestId') };
  for (const operation of Object.values(document.paths ?? {}).flatMap(Object.values)) {
    operation.parameters = [...(operation.parameters ?? []), { $ref: '#/components/parameters/RequestId' }];
    for (const [status, response] of Object.entries<object>(operation.responses))
      operation.responses[status] = PROBLEMS[status]
        ? { $ref: `#/components/responses/Problem${status}` }
        : { ...response, description: describe(document, response), headers: answerHeaders };
  }
  const schema = { $ref: '#/components/schemas/Problem' };
  const responses = Object.entries(PROBLEMS).map(([status, { description, detail }]) => {
    const content = { [PROBLEM_TYPE]: { schema, example: problem(Number(status), detail, '3fa9c1d2-1') } };
    const headers = status === '503' ? { ...answerHeaders, 'Retry-After': header('RetryAfter') } : answerHeaders;
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
 * Merges the two schemas of each shape. fastify-type-provider-zod makes `X` for answers and `XInput` for requests; this
 * keeps the one that is used, and calls it `X`.
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
  // zod bounds every integer by the largest safe integer. Readers gain nothing from that bound.
  return JSON.parse(text, (_key, value) => (Math.abs(value) === Number.MAX_SAFE_INTEGER ? undefined : value));
}

/** The options of @fastify/swagger, which collects the routes that are added after it. */
export const OPENAPI: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'syswire',
      version: VERSION,
      description:
        'syswire makes the `write` system call for real, at the level of abstraction that you choose, and keeps a record of every call.\n\nThe status is 2xx if and only if the operating system was asked. If it refuses the call, that is a result (`error`), not a failure of the service. Every other answer is `application/problem+json`, and means that no call was made.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'The service that serves this document.' }],
    tags: [
      { name: 'calls', description: 'Make calls.' },
      { name: 'records', description: 'Read the records of calls.' },
      { name: 'about', description: 'Read about the levels, the targets and the service, and log in.' },
    ],
    security: [{}, { token: [] }],
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Needed only if the service was started with a token.' },
      },
    },
  },
  transform: jsonSchemaTransform,
  transformObject: (input) => nameOnce(addProblems(jsonSchemaTransformObject(input) as Document)),
};

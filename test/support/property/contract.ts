// Checks answers against openapi.yaml: their status and the shape of their body.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { ROOT } from '../service.js';

type Content = Record<string, { schema: object }>;
type Operation = {
  requestBody?: { content: Content };
  responses: Record<string, { $ref?: string; content?: Content }>;
};

const document = parse(readFileSync(path.join(ROOT, 'openapi.yaml'), 'utf8'));
const paths: Record<string, Record<string, Operation>> = document.paths;
/** The paths of the document. */
export const PATHS = Object.keys(paths);
const ajv = new Ajv2020({ strict: false, schemas: [{ ...document, $id: 'doc' }] });

/** Returns the fault of a value in words, or null. */
type Judge = (value: unknown) => string | null;

/** Compiles the schema at a JSON pointer. */
function createJudge(pointer: string[]): Judge {
  const escaped = pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')));
  const validate = ajv.getSchema(`doc#/${escaped.join('/')}`);
  assert.ok(validate, pointer.join(' '));
  return (value) => (validate(value) ? null : ajv.errorsText(validate.errors));
}

const judges = new Map<string, Judge>();
function judgeOf(pointer: string[]): Judge {
  const key = pointer.join(' ');
  const known = judges.get(key) ?? createJudge(pointer);
  judges.set(key, known);
  return known;
}

/** Statuses of requests for which the document has no operation: faulty requests, and unknown paths or methods. */
const ELSEWHERE = new Set([400, 401, 403, 404, 405, 413, 415, 431]);
/** Paths outside of the document that can be read. */
const UNDOCUMENTED = new Set(['/', '/docs', '/openapi.yaml', '/asyncapi.yaml']);
const judgeProblem = createJudge(['components', 'schemas', 'Problem']);

export type Answered = { status: number; type: string; body: Buffer };

/** Checks an answer against the document. */
export function checkAnswer(method: string, url: string, { status, type, body }: Answered): void {
  const route = url.split('?', 1)[0] as string;
  // HEAD is GET without the body: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
  // OPTIONS of what can be read is no operation of the document: it is HAProxy's health check.
  if (method === 'OPTIONS' && status === 204) {
    assert.equal(body.length, 0);
    assert.ok(paths[route]?.get || UNDOCUMENTED.has(route), `OPTIONS ${route} may not answer 204`);
    return;
  }
  const operation = paths[route]?.[verb];
  const response = operation?.responses[status];
  if (operation) assert.ok(response, `${method} ${route} may not answer ${status}: ${body}`);
  else assert.ok(ELSEWHERE.has(status), `${method} ${url}: ${status}`);
  const [, , ...folder] = response?.$ref?.split('/') ?? [];
  const pointer = response?.$ref ? ['components', ...folder] : ['paths', route, verb, 'responses', `${status}`];
  const content = response?.$ref ? document.components.responses[folder.at(-1) as string].content : response?.content;
  if (method === 'HEAD' || (response && !content)) {
    assert.equal(body.length, 0, `${method} ${route} ${status} has no body`);
    return;
  }
  const media = content ? (Object.keys(content)[0] as string) : 'application/problem+json';
  assert.ok(type.startsWith(media.split(';', 1)[0] as string), `${method} ${url} ${status} is no ${type}`);
  const value = media.includes('json') ? JSON.parse(String(body)) : String(body);
  const wrong = content ? judgeOf([...pointer, 'content', media, 'schema'])(value) : judgeProblem(value);
  assert.equal(wrong, null, `${method} ${url} ${status}: ${body}`);
  if (media.includes('problem')) assert.equal(value.status, status);
}

/** Returns true if the document allows a request body. */
export function isAllowed(route: string, value: unknown): boolean {
  const pointer = ['paths', route, 'post', 'requestBody', 'content', 'application/json', 'schema'];
  return judgeOf(pointer)(value) === null;
}

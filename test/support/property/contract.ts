// openapi.yaml as a judge: which statuses a request may be answered with, and what such an answer looks like.
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
const ajv = new Ajv2020({ strict: false, schemas: [{ ...document, $id: 'doc' }] });

/** A function that says what is wrong with a value; null: nothing. */
function judge(pointer: string[]): (value: unknown) => string | null {
  const escaped = pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')));
  const validate = ajv.getSchema(`doc#/${escaped.join('/')}`);
  assert.ok(validate, pointer.join(' '));
  return (value) => (validate(value) ? null : ajv.errorsText(validate.errors));
}

const judges = new Map<string, (value: unknown) => string | null>();
function judgeOf(pointer: string[]): (value: unknown) => string | null {
  const key = pointer.join(' ');
  const known = judges.get(key) ?? judge(pointer);
  judges.set(key, known);
  return known;
}

/** What may be answered where the document has no such operation: bad requests, and whatever is not there. */
const ELSEWHERE = new Set([400, 401, 403, 404, 405, 413, 415, 431]);
const PROBLEM = judge(['components', 'schemas', 'Problem']);

export type Answered = { status: number; type: string; body: Buffer };

/** Holds an answer against the document. */
export function checkAnswer(method: string, url: string, { status, type, body }: Answered): void {
  const route = url.split('?', 1)[0] as string;
  // HEAD is GET without the body: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
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
  const wrong = content ? judgeOf([...pointer, 'content', media, 'schema'])(value) : PROBLEM(value);
  assert.equal(wrong, null, `${method} ${url} ${status}: ${body}`);
  if (media.includes('problem')) assert.equal(value.status, status);
}

/** Whether a body is one that the document allows. */
export function isAllowed(route: string, value: unknown): boolean {
  const pointer = ['paths', route, 'post', 'requestBody', 'content', 'application/json', 'schema'];
  return judgeOf(pointer)(value) === null;
}

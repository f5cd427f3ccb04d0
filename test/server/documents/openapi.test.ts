// openapi.yaml and asyncapi.yaml agree with the code, and describe everything.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { witnessAvailability } from '../../../src/syscalls/index.js';
import { listen, testApp } from '../../support/app.js';
import { ROOT } from '../../support/service.js';
import { watch } from '../../support/watcher.js';

const file = readFileSync(path.join(ROOT, 'openapi.yaml'), 'utf8');

type Schema = {
  description?: string;
  examples?: unknown[];
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  $ref?: string;
};

type Answer = { $ref?: string; content?: Record<string, { schema: Schema; example?: unknown }> };

for (const name of ['openapi.yaml', 'asyncapi.yaml']) {
  test(`the file ${name} agrees with the code (npm run openapi writes it)`, async (t) => {
    const { app } = testApp(t);
    const served = await app.inject(`/${name}`);
    assert.match(served.headers['content-type'] as string, /^application\/yaml/);
    assert.equal(served.body, readFileSync(path.join(ROOT, name), 'utf8'));
  });
}

test('every line of the stream has the shape that asyncapi.yaml gives it, and every message of asyncapi.yaml occurs', async (t) => {
  const { components } = parse(readFileSync(path.join(ROOT, 'asyncapi.yaml'), 'utf8'));
  const app = testApp(t, { history: 2 });
  const url = await listen(app.app);
  const { available: witness } = witnessAvailability();
  for (const level of ['raw', 'os', 'std'])
    await app.post({ level, msg: 'x', target: 'full', witness: witness && level === 'std' });
  const [replay, future] = [watch(t, url, '?since=1'), watch(t, url, '?since=99')];
  const lines = [
    ...(await replay.until(({ length }) => length === 4)),
    ...(await future.until(({ length }) => length === 2)),
  ];
  await app.app.close();
  lines.push(...(await replay.until((all) => all.at(-1)?.type === 'end')).slice(4));
  const validate = new Ajv({ strict: false, schemas: [{ $id: 'doc', components }] });
  for (const line of lines) {
    const { payload } = components.messages[line.type];
    assert.ok(validate.validate(`doc${payload.$ref}`, line), validate.errorsText());
    assert.equal(
      validate.validate(`doc${payload.$ref}`, { ...line, colour: 1 }),
      false,
      'a line with one more field is invalid',
    );
  }
  assert.equal(
    lines.some((line) => 'systemCalls' in line),
    witness,
    'one record has system calls',
  );
  assert.deepEqual(new Set(lines.map(({ type }) => type)), new Set(Object.keys(components.messages)));
});

test('every schema and every field has a description', () => {
  const undescribed: string[] = [];
  function visit(schema: Schema, at: string): void {
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      if (!field.description && !field.$ref) undescribed.push(`${at}.${name}`);
      visit(field, `${at}.${name}`);
    }
    for (const part of [...(schema.anyOf ?? []), ...(schema.items ? [schema.items] : [])]) visit(part, at);
  }
  for (const [name, schema] of Object.entries<Schema>(parse(file).components.schemas)) {
    if (!schema.description) undescribed.push(name);
    visit(schema, name);
  }
  assert.deepEqual(undescribed, []);
});

test('each route that makes calls says what a retry does, and how to find what was made', () => {
  const { paths } = parse(file) as { paths: Record<string, { post?: { tags: string[]; description: string } }> };
  const calls = Object.values(paths).flatMap(({ post }) => (post?.tags.includes('calls') ? [post.description] : []));
  assert.equal(calls.length, 3);
  for (const description of calls)
    assert.match(description, /Not idempotent: .*`X-Request-Id`.*`GET \/events\?requestId=`/);
});

test('every response has an example', () => {
  const { paths, components } = parse(file);
  const document: Record<string, unknown> = { components };
  const resolve = <T>(part: T & { $ref?: string }): T => {
    if (!part.$ref) return part;
    return part.$ref
      .slice(2)
      .split('/')
      .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document) as T;
  };
  const without: string[] = [];
  for (const [url, methods] of Object.entries<Record<string, { responses: Record<string, Answer> }>>(paths)) {
    for (const [method, { responses }] of Object.entries(methods)) {
      for (const [status, reference] of Object.entries(responses)) {
        const { content } = resolve(reference);
        for (const { schema, example } of Object.values(content ?? {})) {
          if (example === undefined && !resolve(schema).examples) without.push(`${method} ${url} ${status}`);
        }
      }
    }
  }
  assert.deepEqual(without, []);
});

test('/docs shows the API in swagger-ui', async (t) => {
  const { app } = testApp(t);
  const page = await app.inject('/docs');
  assert.equal(page.statusCode, 200);
  assert.match(page.body, /swagger-ui/);
  assert.equal((await app.inject('/docs/json')).json().info.title, 'syswire');
});

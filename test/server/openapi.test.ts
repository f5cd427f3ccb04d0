// openapi.yaml is what the code says, and says something about everything.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { testApp } from '../app.js';
import { ROOT } from '../service.js';

const file = readFileSync(path.join(ROOT, 'openapi.yaml'), 'utf8');

type Schema = {
  description?: string;
  examples?: unknown[];
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  $ref?: string;
};

type Answer = { $ref?: string; content: Record<string, { schema: Schema; example?: unknown }> };

test('the file and the routes agree (npm run openapi makes it anew)', async (t) => {
  const { app } = testApp(t);
  const served = await app.inject('/openapi.yaml');
  assert.match(served.headers['content-type'] as string, /^application\/yaml/);
  assert.equal(served.body, file);
});

test('every schema and every field has a description', () => {
  const silent: string[] = [];
  function visit(schema: Schema, at: string): void {
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      if (!field.description && !field.$ref) silent.push(`${at}.${name}`);
      visit(field, `${at}.${name}`);
    }
    for (const part of [...(schema.anyOf ?? []), ...(schema.items ? [schema.items] : [])]) visit(part, at);
  }
  for (const [name, schema] of Object.entries<Schema>(parse(file).components.schemas)) {
    if (!schema.description) silent.push(name);
    visit(schema, name);
  }
  assert.deepEqual(silent, []);
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
        for (const { schema, example } of Object.values(content)) {
          if (example === undefined && !resolve(schema).examples) without.push(`${method} ${url} ${status}`);
        }
      }
    }
  }
  assert.deepEqual(without, []);
});

test('/docs shows it', async (t) => {
  const { app } = testApp(t);
  const page = await app.inject('/docs');
  assert.equal(page.statusCode, 200);
  assert.match(page.body, /swagger-ui/);
  assert.equal((await app.inject('/docs/json')).json().info.title, 'syswire');
});

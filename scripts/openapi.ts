// npm run openapi: writes openapi.yaml and asyncapi.yaml from the code. A test fails if the files differ from it.
import { writeFileSync } from 'node:fs';
import { buildApp } from '../src/server/app.js';

const app = buildApp();
for (const name of ['openapi.yaml', 'asyncapi.yaml'])
  writeFileSync(new URL(`../${name}`, import.meta.url), (await app.inject(`/${name}`)).body);
await app.close();

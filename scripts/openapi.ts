// npm run openapi: writes openapi.yaml from the routes. A test holds the file against the code.
import { writeFileSync } from 'node:fs';
import { buildApp } from '../src/server/app.js';

const app = buildApp();
await app.ready();
writeFileSync(new URL('../openapi.yaml', import.meta.url), app.swagger({ yaml: true }));
await app.close();

// The folders of files that the service sends. scripts/build.mjs makes both.
import { fileURLToPath } from 'node:url';

// From this file in src/server/, as from the chunks of dist/, the package's folder is two up.
const folder = (name: string): string => fileURLToPath(new URL(`../../dist/${name}`, import.meta.url));

export const PAGE = folder('page');
export const SWAGGER_UI = folder('swagger-ui');

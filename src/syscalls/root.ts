// The package's own folder. This file is two folders below it, and so are the chunks of dist/: scripts/build.mjs.
import { fileURLToPath } from 'node:url';

/** The folder that has package.json, dist/ and prebuilds/. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

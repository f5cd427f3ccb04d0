// The oldest Node that this package runs on. Importing this file first refuses an older one before anything else runs.

import { createRequire } from 'node:module';

// scripts/setup.mjs, which runs before anything is built, reads the same place.
const { engines } = createRequire(import.meta.url)('../../package.json') as { engines: { node: string } };
const OLDEST = engines.node.replace('>=', '').split('.').map(Number) as [major: number, minor: number];

/** Returns why this Node is refused, in one line; null when it is recent enough. */
export function nodeProblem(version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isRecent = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  return isRecent
    ? null
    : `syswire needs Node ${OLDEST.join('.')} or later, and this is ${version}: https://nodejs.org`;
}

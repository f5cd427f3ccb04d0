// Loads koffi (https://koffi.dev) at its first use. Its binary may be missing: an install for another platform, or with
// --omit=optional. Then only what calls foreign functions is unavailable.
import { createRequire } from 'node:module';

type Koffi = typeof import('koffi').default;

let loaded: Koffi | undefined;

/** Returns koffi. @throws an Error that says why it cannot be loaded, each time */
export function koffi(): Koffi {
  if (!loaded) {
    try {
      loaded = createRequire(import.meta.url)('koffi') as Koffi;
    } catch (error) {
      throw new Error(`koffi, which calls libc, cannot be loaded: ${(error as Error).message.split('\n', 1)[0]}`);
    }
  }
  return loaded;
}

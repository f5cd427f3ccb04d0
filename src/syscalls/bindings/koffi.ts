// Loads koffi's binary (https://koffi.dev) at its first use. It may be missing: on a platform that package.json does not
// list, or after an install with --omit=optional. Then only what calls foreign functions is unavailable.
import { createRequire } from 'node:module';

type Koffi = typeof import('koffi').default;

// The package that koffi's own loader takes too. Without that loader, which only adds deprecated functions, users install
// neither koffi's sources nor its install script, which builds with CMake where the binary is missing.
const BINARY = `@koromix/koffi-${process.platform}-${process.arch}`;

let loaded: Koffi | undefined;

/** Returns koffi. @throws an Error that says why it cannot be loaded, each time */
export function koffi(): Koffi {
  if (!loaded) {
    try {
      loaded = createRequire(import.meta.url)(BINARY) as Koffi;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code === 'MODULE_NOT_FOUND' ? `install ${BINARY}` : message.split('\n', 1)[0];
      throw new Error(`koffi, which calls libc, cannot be loaded: ${why}`);
    }
  }
  return loaded;
}

// The target `null`: the system's null device, which takes every write whole and keeps nothing.
import { devNull } from 'node:os';
import { openTarget, type Target } from './target.js';

/**
 * Opens the null device: /dev/null, on Windows \\.\nul. Where that cannot be done, as in a root folder without /dev, the
 * target has a `reason`.
 */
export function openNull(device = devNull): Target {
  try {
    return openTarget('null', device);
  } catch (error) {
    const reason = `it could not be opened: ${(error as Error).message}`;
    return { name: 'null', fd: -1, kind: 'none', shared: false, expects: null, reason, close: () => {} };
  }
}

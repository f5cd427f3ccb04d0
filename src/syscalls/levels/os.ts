// Level `os`: the function that the operating system provides to programs, called through FFI (koffi).
import type { Level, Write } from '../contract.js';
import { onFirstUse } from './on-first-use.js';
import { openPosix, posix } from './os-posix.js';
import { openWin32, win32 } from './os-win32.js';

const [description, bindWrite] = process.platform === 'win32' ? [win32, openWin32] : [posix, openPosix];

/** Returns the level's write, or the reason why it is not available. */
function open(): Write | string {
  try {
    return bindWrite();
  } catch (error) {
    return (error as Error).message;
  }
}

export const os: Level = onFirstUse(description, open);

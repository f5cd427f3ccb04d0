// Level `os`: the function that the operating system provides to programs, called through FFI (koffi).
import type { Level } from '../contract.js';
import { posix } from './os-posix.js';
import { win32 } from './os-win32.js';

export const os: Level = process.platform === 'win32' ? win32() : posix();

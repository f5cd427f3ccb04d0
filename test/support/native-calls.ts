// Helpers for the tests that call the addon directly: its functions per level, and a file to write to.
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { WriteFrom } from '../../src/syscalls/bindings/addon.js';
import type { Write } from '../../src/syscalls/contract.js';
import { levels } from '../../src/syscalls/index.js';
import { type Addon, builtAddon, require } from './native.js';
import { tempFolder } from './service.js';

export const IDS = ['raw', 'int80', 'uring'] as const;
type Id = (typeof IDS)[number];

/** Returns the levels of the addon that are available on this machine. */
export const here = (): Id[] => IDS.filter((id) => levels[id].available);

export const addon = (): Addon => require(builtAddon()) as Addon;

/** Returns a level's functions. Only tests use the `writeFrom` of uring. */
export const callsOf = (of: Addon, id: Id) => (id === 'raw' ? of : of[id]) as { write: Write; writeFrom: WriteFrom };

/** Opens a file to write to. `text` returns its content. */
export function output(t: TestContext): { fd: number; text: () => string } {
  const file = path.join(tempFolder(t), 'out');
  const fd = openSync(file, 'w');
  t.after(() => closeSync(fd));
  return { fd, text: () => readFileSync(file, 'latin1') };
}

export const onAny = { skip: process.platform === 'win32' ? 'Windows has no addon' : false };
export const onLinux = { skip: process.platform === 'linux' ? false : 'for Linux' };

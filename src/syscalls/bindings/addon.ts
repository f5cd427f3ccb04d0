// The native addon, for the levels that stand on it.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Convention, Level, Write } from '../contract.js';

/** (fd, address, count) → bytes written or −errno: from an address as it is, whatever lies there. */
export type WriteFrom = (fd: number, address: bigint, count: bigint) => number;

/** One way to make the call. */
type Call = { write: Write; writeFrom: WriteFrom; code: () => Uint8Array; address: () => bigint };

export type Addon = Call & {
  int80: Call & {
    /** What a child process got from the interrupt: `call`'s result, or the signal that killed it. */
    probe: () => { call: string; result: number; signal: number };
  };
  uring: Call & {
    /** 0, or what `call` answered instead. */
    probe: () => { call: string; result: number };
  };
};

// node-gyp-build has no types; it looks for prebuilds/ in the folder that it is given.
type NodeGypBuild = ((folder: string) => Addon) & { path: (folder: string) => string };
const nodeGypBuild = (): NodeGypBuild => createRequire(import.meta.url)('node-gyp-build') as NodeGypBuild;
const root = fileURLToPath(new URL('../../..', import.meta.url));

function load(): Addon | string {
  if (process.platform === 'win32')
    return 'Windows promises nothing about system call numbers: they change between its builds';
  try {
    return nodeGypBuild()(root);
  } catch (error) {
    return `the native addon could not be loaded (run: npm run build): ${(error as Error).message.split('\n', 1)[0]}`;
  }
}

/** The addon that native/build.mjs made for this machine, or why there is none. */
export const addon: Addon | string = load();

/** What is told of a level whose instruction is ours; what there is none of for this machine is null. */
export function anatomyOf(
  convention: Convention | undefined,
  part: (of: Addon) => Call,
): Pick<Level, 'via' | 'registers' | 'number' | 'code' | 'disassembly'> {
  const call = convention && typeof addon !== 'string' ? part(addon) : undefined;
  return {
    via: {
      instruction: convention?.instruction ?? null,
      symbol: null,
      library: null,
      file: call ? nodeGypBuild().path(root) : null,
      address: call ? `0x${call.address().toString(16)}` : null,
    },
    registers: convention?.registers ?? null,
    number: convention?.number ?? null,
    code: call?.code() ?? null,
    disassembly: convention?.disassembly ?? null,
  };
}

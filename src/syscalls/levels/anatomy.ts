// Describes a level that has an instruction of its own.
import { type Addon, addon, addonPath, type NativeLevel } from '../bindings/addon.js';
import type { Convention, Level } from '../contract.js';

/** The meanings of write(2)'s arguments. */
export const WRITE_MEANINGS = ['descriptor', 'address of the bytes', 'number of bytes'];

/**
 * Returns the parts of a level that describe its instruction. A part that does not exist on this machine is null.
 *
 * @param convention the level's instruction on this platform; undefined where it has none
 * @param select picks the level's functions from the addon
 */
export function anatomyOf(
  convention: Convention | undefined,
  select: (addon: Addon) => NativeLevel,
): Pick<Level, 'via' | 'registers' | 'number' | 'code' | 'disassembly'> {
  const native = convention && typeof addon !== 'string' ? select(addon) : undefined;
  return {
    via: {
      instruction: convention?.instruction ?? null,
      symbol: null,
      library: null,
      file: native ? addonPath() : null,
      address: native ? `0x${native.address().toString(16)}` : null,
    },
    registers: convention?.registers ?? null,
    number: convention?.number ?? null,
    code: native?.code() ?? null,
    disassembly: convention?.disassembly ?? null,
  };
}

// The numbers of system calls as tracers print them: some print registers, so −28 is 0xffffffffffffffe4.

/** Returns the number that text of digits or of 0x and hex digits stands for, as a signed one of so many bits. */
const signed = (bits: number, text: string): number => Number(BigInt.asIntN(bits, BigInt(text)));

/** Returns a descriptor, which is an int. */
export const toDescriptor = (text: string): number => signed(32, text);

/** Returns a result, which is a long: bytes written, or −errno. */
export const toResult = (text: string): number => signed(64, text);

/**
 * Returns an integer of a JSON trace. Exporters of protocol buffers write 64 bits as text.
 *
 * @returns undefined if it is none, or one that JSON has already rounded
 */
export function integerOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  return typeof value === 'string' && /^(?:-?\d{1,20}|0x[\da-f]{1,16})$/i.test(value) ? toResult(value) : undefined;
}

/** Returns a descriptor of a JSON trace, which may be a register: −1 is 4294967295 or 18446744073709551615. */
export function descriptorOf(value: unknown): number | undefined {
  // JSON has rounded this one already, to 2 to the power of 64.
  if (value === 2 ** 64) return -1;
  const integer = integerOf(value);
  return integer === undefined ? undefined : integer | 0;
}

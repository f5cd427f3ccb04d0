// The bytes of the command line. An argument is any bytes but 0, and Node keeps only their text: it decodes them as
// UTF-8 and puts U+FFFD in place of what is not. Here such bytes are kept inside the text, each as a lone surrogate that
// no other text has, as in Python: https://peps.python.org/pep-0383/
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { UsageError } from './command.js';

const LOST = '\ufffd';
const ESCAPE_BASE = 0xdc00;
/** The flag u: the second half of a pair, an emoji for example, is no lone surrogate. */
const ESCAPED = /[\udc80-\udcff]/u;

/** Decode bytes as UTF-8; a byte that is no part of UTF-8 becomes a lone surrogate. */
function decode(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((size) => at + size <= bytes.length && isUtf8(bytes.subarray(at, at + size)));
    text += length ? bytes.toString('utf8', at, at + length) : String.fromCharCode(ESCAPE_BASE + (bytes[at] as number));
    at += length ?? 1;
  }
  return text;
}

/** Return the bytes of an argument as they were given. */
export function bytesOf(argument: string): Buffer {
  if (!hasEscapedBytes(argument)) return Buffer.from(argument);
  return Buffer.concat(
    Array.from(argument, (character) =>
      ESCAPED.test(character) ? Buffer.of(character.charCodeAt(0) - ESCAPE_BASE) : Buffer.from(character),
    ),
  );
}

/** Return true if the argument was no UTF-8. */
export const hasEscapedBytes = (argument: string): boolean => ESCAPED.test(argument);

/** Return the arguments' bytes as the kernel has them, null if it does not say or Node saw others. */
function readCommandLine(args: readonly string[]): Buffer[] | null {
  try {
    // Each argument ends with a 0. https://man7.org/linux/man-pages/man5/proc_pid_cmdline.5.html
    const all = readFileSync('/proc/self/cmdline').toString('latin1').split('\0').slice(0, -1);
    const last = all.slice(-args.length).map((text) => Buffer.from(text, 'latin1'));
    const isSame = (text: string, index: number): boolean => text.includes(LOST) || last[index]?.toString() === text;
    return last.length === args.length && args.every(isSame) ? last : null;
  } catch {
    return null;
  }
}

/**
 * Return the arguments with the bytes that Node could not decode.
 *
 * @param args process.argv without Node and the program
 * @throws UsageError if the bytes of one are lost
 */
export function restoreBytes(args: readonly string[]): string[] {
  if (!args.some((text) => text.includes(LOST))) return [...args];
  const lines = readCommandLine(args);
  if (lines === null)
    throw new UsageError(
      `argument ${args.findIndex((text) => text.includes(LOST)) + 1} has U+FFFD in place of bytes that are not UTF-8: give the message on stdin, with - in its place`,
    );
  return lines.map(decode);
}

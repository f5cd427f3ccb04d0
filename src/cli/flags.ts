// Parses a command line. Every error is a UsageError of one line.
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { joinWithOr } from '../protocol/format.js';
import { bytesOf, hasEscapedBytes } from './arguments.js';
import { UsageError } from './command.js';
import { readAll } from './streams.js';

/** For parseFlags: the arguments are LEVEL MSG, and MSG may be any bytes. */
export const MESSAGE_AT = 1;

/**
 * Run Node's parseArgs.
 *
 * @param messageAt the one argument, counted from 0 without flags, that need not be UTF-8. Names and paths must be.
 * @throws UsageError
 */
export function parseFlags<const T extends ParseArgsConfig>(
  config: T,
  messageAt = -1,
): ReturnType<typeof parseArgs<T>> {
  try {
    const parsed = parseArgs(config);
    const values = Object.entries(parsed.values as Record<string, unknown>).flatMap(([name, value]) =>
      [value].flat().map((each): [string, unknown] => [`--${name}`, each]),
    );
    const words = parsed.positionals.filter((_, index) => index !== messageAt);
    for (const [name, value] of [...values, ...words.map((word): [string, unknown] => [`'${word}'`, word])])
      if (typeof value === 'string' && hasEscapedBytes(value))
        throw new UsageError(`${name}: has bytes that are not UTF-8: only a message may have them`);
    return parsed;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    // The first sentence says what is wrong. The rest is advice, which may have several lines.
    const [problem = ''] = (error as Error).message.split(/\.\s/, 1);
    throw new UsageError(`${problem}: see --help`);
  }
}

export { joinWithOr };

/** Return `LEVEL MSG`, the arguments after a command's name. @throws UsageError */
export function parseLevelAndMessage(
  command: string,
  levels: readonly string[],
  positionals: string[],
): [level: string, msg: string] {
  const [level, msg, ...more] = positionals;
  const known = joinWithOr(levels);
  if (level === undefined)
    throw new UsageError(`level is missing: give LEVEL and MSG to syswire ${command}; LEVEL is ${known}`);
  if (!levels.includes(level)) throw new UsageError(`level '${level}' is unknown: use ${known}`);
  if (msg === undefined)
    throw new UsageError(`message is missing: give it after ${level}, or give - to read it from stdin`);
  if (more.length > 0)
    throw new UsageError(`more than one message is given: put '${[msg, ...more].join(' ')}' in quotes to make it one`);
  return [level, msg];
}

/** Return a message's bytes as they were given; `-` reads them from stdin. @throws UsageError */
export function readMessage(msg: string): Buffer {
  if (msg !== '-') return bytesOf(msg);
  try {
    return readAll(0);
  } catch (error) {
    throw new UsageError(`stdin cannot be read: ${(error as Error).message}`);
  }
}

/** Return a flag's value as a number, undefined if the flag is not given. @throws UsageError */
export function parseNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number)) throw new UsageError(`--${flag} ${text}: must be a number`);
  return number;
}

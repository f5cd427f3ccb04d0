// Parses a command line. Every error is a UsageError of one line.
import { readFileSync } from 'node:fs';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './command.js';

/** Node's parseArgs. @throws UsageError */
export function parseFlags<const T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    // Node's message goes on with advice about '--' after its first sentence.
    throw new UsageError((error as Error).message.split('. ', 1)[0]);
  }
}

/** `LEVEL MSG`, as they follow a command's name. @throws UsageError */
export function levelAndMessage(command: string, levels: readonly string[], positionals: string[]): [string, string] {
  const [level, msg, ...more] = positionals;
  if (more.length > 0) throw new UsageError(`one message at a time: put '${positionals.slice(1).join(' ')}' in quotes`);
  if (level === undefined || !levels.includes(level))
    throw new UsageError(`a level is needed: syswire ${command} ${levels.join('|')} MSG`);
  if (msg === undefined)
    throw new UsageError(`a message is needed: syswire ${command} ${level} MSG, or - to read it from stdin`);
  return [level, msg];
}

/** A message's bytes; those of `-` come from standard input. @throws UsageError */
export function bytesOf(msg: string): Buffer {
  if (msg !== '-') return Buffer.from(msg);
  try {
    return readFileSync(0);
  } catch (error) {
    throw new UsageError(`stdin cannot be read: ${(error as Error).message}`);
  }
}

/** A flag's value as a number. @throws UsageError */
export function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number)) throw new UsageError(`--${flag} ${text}: must be a number`);
  return number;
}

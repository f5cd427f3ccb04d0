// Parses a command line by the table of its command. Every error is a UsageError of one line. The file also reads the
// values that several commands have: messages and numbers.

import { parseArgs } from 'node:util';
import { mustBe, nearest, unknown } from '../protocol/choices.js';
import { joinWithOr } from '../protocol/format.js';
import { LEVEL_IDS, type LevelId } from '../protocol/names.js';
import { bytesOf, hasEscapedBytes } from './arguments.js';
import { type Argument, allFlags, type Command, type Flag, type Flags, type Mistake, UsageError } from './command.js';
import { readAll } from './streams.js';

/** The arguments LEVEL MSG. */
export const LEVEL_AND_MESSAGE = [
  {
    name: 'LEVEL',
    noun: 'level',
    help: `${joinWithOr(LEVEL_IDS)}; syswire help levels explains them`,
    choices: LEVEL_IDS,
  },
  { name: 'MSG', noun: 'message', help: 'the text to write, unchanged; - reads it from stdin', isBytes: true },
] as const satisfies readonly Argument[];

/** Return a command's first line of help: `syswire write LEVEL MSG`. */
export function usageOf(name: string, { arguments: list, flags }: Command): string {
  const words = list.map(({ name: word, isOptional, isSeveral }) =>
    isOptional ? `[${word}]` : isSeveral ? `${word}…` : word,
  );
  const required = Object.entries(flags).filter(([, { isRequired }]) => isRequired);
  return ['syswire', name, ...words, ...required.map(([flag, { value }]) => `--${flag} ${value}`)].join(' ');
}

/** The parts of a flag's name that parseArgs knows, and what they stand for. */
type Spelling = { name: string; flag: Flag; isNegation: boolean };

function spellingsOf(flags: Flags): Map<string, Spelling> {
  const spellings = new Map<string, Spelling>();
  for (const [name, flag] of Object.entries(flags)) {
    spellings.set(name, { name, flag, isNegation: false });
    if (flag.negatable) spellings.set(`no-${name}`, { name, flag, isNegation: true });
  }
  return spellings;
}

/** By the flag's name. `Values` has the exact types. */
export type GivenFlags = Record<string, string | boolean | string[] | undefined>;

function requireUtf8(what: string, text: string): void {
  if (hasEscapedBytes(text))
    throw new UsageError(`${what}: has bytes that are not UTF-8: only a message may have them`);
}

function checkArguments(name: string, command: Command, words: readonly string[]): void {
  const list = command.arguments;
  for (const [index, argument] of list.entries()) {
    const word = words[index];
    if (word === undefined) {
      if (argument.isOptional) return;
      const choices = argument.choices ? `; ${argument.name} is ${joinWithOr(argument.choices)}` : '';
      const stdin = argument.isBytes ? `; give - as ${argument.name} to read it from stdin` : '';
      throw new UsageError(`${argument.noun} is missing: the command is ${usageOf(name, command)}${stdin}${choices}`);
    }
    if (argument.choices?.includes(word) === false)
      throw new UsageError(unknown(argument.noun, word, argument.choices));
  }
  const extra = words[list.length];
  if (extra === undefined || list.some(({ isSeveral }) => isSeveral)) return;
  const last = list.at(-1);
  throw new UsageError(
    last?.isBytes
      ? `more than one ${last.noun} is given: put '${words.slice(list.length - 1).join(' ')}' in quotes to make it one`
      : `argument '${extra}' is one too many: leave it out; the command is ${usageOf(name, command)}`,
  );
}

const isNumber = (text: string): boolean => text.trim() !== '' && Number.isFinite(Number(text));

/** Return what is wrong with a flag's value, null if nothing is. */
function faultOf({ choices, unit, completes }: Flag, value: string): string | null {
  if (choices?.includes(value) === false) return mustBe(value, choices);
  if (unit && !isNumber(value)) return `must be a number of ${unit}, in digits without separators`;
  if (completes === 'target' && value.includes('/'))
    return `is a path, and the service knows its targets by name: start it with --target NAME=${value}, or use syswire call`;
  return null;
}

/**
 * Say what the service refused in the user's words: `timeoutMs must be at most 60,000` becomes
 * `--timeout 99999999: must be at most 60,000`, and `the witness is not available here` gets `--witness: ` before it.
 */
export function inFlags({ detail, pointer }: Mistake, flags: Flags, values: GivenFlags): string {
  const isAbout = ([name, { field }]: [string, Flag]): boolean =>
    values[name] === true && field !== undefined && pointer === `#/${field}`;
  const [turnedOn] = Object.entries(flags).find(isAbout) ?? [];
  if (turnedOn !== undefined) return `--${turnedOn}: ${detail}`;
  const [, field, rest = ''] = /^(\w+)[ =](.*)$/s.exec(detail) ?? [];
  const [name = ''] = Object.entries(flags).find(([, flag]) => flag.field !== undefined && flag.field === field) ?? [];
  const value = values[name];
  if (typeof value !== 'string') return detail;
  const repeated = [`${value} `, `'${value}' `].find((start) => rest.startsWith(start)) ?? '';
  return `--${name} ${value}: ${rest.slice(repeated.length)}`;
}

/**
 * Parse a command line.
 *
 * @param name the command's name
 * @param args the command line behind it
 * @returns the flags that were given, and the arguments. These are checked only if neither `help` nor `version` is true
 * @throws UsageError
 */
export function parseCommandLine(
  name: string,
  command: Command,
  args: readonly string[],
): { values: GivenFlags; words: string[] } {
  const spellings = spellingsOf(allFlags(command));
  const options = Object.fromEntries(
    [...spellings].map(([spelling, { flag, isNegation }]) => [
      spelling,
      {
        type: flag.value && !isNegation ? ('string' as const) : ('boolean' as const),
        ...(flag.short && !isNegation && { short: flag.short }),
      },
    ]),
  );
  // Without `strict`, and with the tokens only, so that the messages are ours.
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const values: GivenFlags = {};
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (!command.arguments[words.length]?.isBytes) requireUtf8(`'${token.value}'`, token.value);
      words.push(token.value);
    }
    if (token.kind !== 'option') continue;
    const { rawName, value, inlineValue } = token;
    const found = spellings.get(token.name);
    if (token.name === 'version' && token.index > 0)
      throw new UsageError(
        `${rawName} prints the version and does nothing else: leave it out, or give syswire ${rawName}`,
      );
    if (!found) throw new UsageError(unknownFlag(name, rawName, [...spellings.keys()], command));
    const { flag } = found;
    if (!flag.value || found.isNegation) {
      if (value !== undefined) throw new UsageError(`${rawName} takes no value: leave '${value}' out`);
      values[found.name] = !found.isNegation;
      continue;
    }
    if (value === undefined) throw new UsageError(`${rawName} needs a value: give ${rawName} ${flag.value}`);
    if (!inlineValue && /^-./.test(value))
      throw new UsageError(
        `${rawName} needs a value: give ${rawName} ${flag.value}, or ${rawName}=-… if it begins with -`,
      );
    requireUtf8(rawName, value);
    const fault = faultOf(flag, value);
    if (fault !== null) throw new UsageError(`${rawName} ${value}: ${fault}`);
    if (flag.several) values[found.name] = [...((values[found.name] as string[] | undefined) ?? []), value];
    else values[found.name] = value;
  }
  if (values.help || values.version) return { values, words };
  checkArguments(name, command, words);
  for (const [flag, { isRequired, choices = [] }] of Object.entries(command.flags))
    if (isRequired && values[flag] === undefined)
      throw new UsageError(
        `--${flag} is missing: the command is ${usageOf(name, command)}; use ${joinWithOr(choices)}`,
      );
  return { values, words };
}

function unknownFlag(name: string, given: string, known: readonly string[], command: Command): string {
  const meant = given.startsWith('--') ? nearest(given.slice(2), known) : undefined;
  if (meant !== undefined) return `unknown flag ${given}: did you mean --${meant}?`;
  const message = command.arguments.some(({ isBytes }) => isBytes)
    ? '; a message that begins with - comes after --'
    : '';
  return `unknown flag ${given}: syswire ${name} --help lists the flags${message}`;
}

/** Return the first of LEVEL MSG, which the parser has checked, and the second. */
export const levelAndMessage = (words: readonly string[]): [LevelId, string] => words as [LevelId, string];

/** Return a message's bytes as they were given; `-` reads them from stdin. @throws UsageError */
export function readMessage(msg: string): Buffer {
  if (msg !== '-') return bytesOf(msg);
  try {
    return readAll(0);
  } catch (error) {
    throw new UsageError(`stdin cannot be read: ${(error as Error).message}`);
  }
}

/** A text that a shell's $'…' changes in no other way than `\n`, and that is short enough to repeat. */
const PLAIN = /^[\w .,:;?+-]{0,30}\\n$/;

/**
 * Return a hint if a message of the command line ends in a backslash and an n, which most people mean as a line feed;
 * otherwise null. It is written as it is all the same.
 */
export function hintAt(msg: string): string | null {
  if (!msg.endsWith('\\n')) return null;
  const example = PLAIN.test(msg) ? msg : '…\\n';
  return `syswire: the message ends in two characters, a backslash and an n: in bash and zsh, $'${example}' ends in a line feed`;
}

/** Return the number of a flag with a `unit`, undefined if the flag is not given. */
export const toNumber = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);

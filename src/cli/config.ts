// Turns flags and environment variables into one checked object. --help and completion are made from the same table.

import { constants } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import * as z from 'zod';
import { mustBe } from '../protocol/choices.js';
import { joinWithOr, number } from '../protocol/format.js';
import { TARGET_NAME, TARGET_NAME_IN_WORDS } from '../protocol/names.js';
import { DEFAULTS } from '../server/defaults.js';
import { BUILT_IN_NAMES } from '../syscalls/targets/built-in.js';
import { type Flag, UsageError, type Values } from './command.js';

const MIN_TOKEN = 16;

const wholeNumber = (least: number, most: number) => {
  const message = `must be a whole number from ${number(least)} to ${number(most)}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .pipe(z.int(message).min(least, message).max(most, message));
};

/** --target may give `null` another path. */
const RESERVED = new Set(BUILT_IN_NAMES.filter((name) => name !== 'null'));
const target = z
  .string()
  .regex(/^[^=]+=.+$/, 'must be name=path')
  .transform((text): [string, string] => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)])
  .refine(([name]) => TARGET_NAME.test(name), `the name must be ${TARGET_NAME_IN_WORDS}`)
  .refine(([name]) => !RESERVED.has(name), {
    error: ({ input }) => `the service has a target '${(input as string[])[0]}' already: choose another name`,
  });

const targets = z.array(target).superRefine((all, context) => {
  const names = all.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    context.addIssue({ code: 'custom', message: `the name '${twice}' is given twice: choose another name` });
});

const token = z
  .string()
  .min(MIN_TOKEN, {
    error: ({ input }) =>
      `must have ${MIN_TOKEN} characters or more, not ${(input as string).length}: openssl rand -hex 16 makes one`,
  })
  .regex(/^[\x21-\x7e]*$/, 'must be visible ASCII characters, because clients send it in a header');

const tokenFile = z.string().transform((path, context) => {
  try {
    const result = token.safeParse(readFileSync(path, 'utf8').trim());
    if (result.success) return result.data;
    context.addIssue({ code: 'custom', message: `the token in it ${result.error.issues[0]?.message}` });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? `there is no such file: openssl rand -hex 16 > FILE makes one` : message;
    context.addIssue({ code: 'custom', message: `cannot be read: ${why}` });
  }
  return z.NEVER;
});

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** A value that is one of several words. */
const oneOf = <const T extends readonly string[]>(choices: T) =>
  z.enum(choices, { error: ({ input }) => mustBe(`${input}`, choices) });

const LOG_FORMATS = ['json', 'text', 'auto'] as const;

/** The flags of `syswire serve`. `shape` checks a value, of the flag or of its environment variable. */
export const FLAGS = {
  host: {
    value: 'ADDRESS',
    help: 'the address to listen on (127.0.0.1); every address but loopback needs a token',
    // As a URL has it: [::1].
    shape: z
      .string()
      .transform((host) => host.replace(/^\[(.*)\]$/, '$1'))
      .default('127.0.0.1'),
  },
  port: {
    value: 'N',
    help: 'the port to listen on (8080); 0 picks a free one',
    shape: wholeNumber(0, 65_535).default(8080),
  },
  token: {
    value: 'TOKEN',
    help: `the token that clients must send, ${MIN_TOKEN} characters or more`,
    shape: token.optional(),
  },
  'token-file': {
    value: 'FILE',
    help: 'read the token from this file',
    completes: 'file',
    shape: tokenFile.optional(),
  },
  target: {
    value: 'NAME=PATH',
    help: 'a file (appended to), FIFO or device that clients may write to',
    shape: targets.default([]),
    several: true,
    completes: 'assignment',
  },
  faults: {
    help: 'offer the fault targets, which refuse every byte with a known errno (default on Linux)',
    negatable: true,
    shape: z.union([z.boolean(), z.stringbool()], 'must be true or false').default(DEFAULTS.faults),
  },
  'allow-host': {
    value: 'NAME',
    help: 'accept this name in the Host header, besides localhost',
    shape: z.array(z.string().regex(/^[\w.-]+$/, 'must be a host name, without a port')).default([]),
    several: true,
  },
  history: {
    value: 'N',
    help: `the number of records to keep for GET /events (${DEFAULTS.history})`,
    shape: wholeNumber(1, 10_000_000).default(DEFAULTS.history),
  },
  'max-subscribers': {
    value: 'N',
    help: `the most subscribers of the stream at once (${DEFAULTS.maxSubscribers})`,
    shape: wholeNumber(0, 100_000).default(DEFAULTS.maxSubscribers),
  },
  'max-waiting': {
    value: 'N',
    help: `the most requests with a timeoutMs at one target at once (${DEFAULTS.maxWaiting})`,
    shape: wholeNumber(1, 100_000).default(DEFAULTS.maxWaiting),
  },
  witness: {
    help: 'list the system calls of every call, not only where a request asks for it (Linux on x86-64)',
    negatable: true,
    shape: z.union([z.boolean(), z.stringbool()], 'must be true or false').default(DEFAULTS.witness),
  },
  record: {
    value: 'FILE',
    help: 'append every record to this file, one JSON object per line',
    completes: 'file',
    shape: z.string().optional(),
  },
  'body-limit': {
    value: 'BYTES',
    help: `the largest request body (${DEFAULTS.bodyLimit})`,
    shape: wholeNumber(1, constants.MAX_STRING_LENGTH).default(DEFAULTS.bodyLimit),
  },
  'log-level': {
    value: 'LEVEL',
    help: `how much to log to stderr: ${joinWithOr(LOG_LEVELS)} (info)`,
    choices: LOG_LEVELS,
    shape: oneOf(LOG_LEVELS).default('info'),
  },
  'log-format': {
    value: 'FORMAT',
    help: 'json, text, or auto: text in a terminal, json elsewhere (auto)',
    choices: LOG_FORMATS,
    shape: oneOf(LOG_FORMATS).default('auto'),
  },
} as const satisfies Record<string, Flag & { shape: z.ZodType }>;

type Name = keyof typeof FLAGS;
type Checked = { [N in Name]: z.infer<(typeof FLAGS)[N]['shape']> };
const NAMES = Object.keys(FLAGS) as Name[];

export type Config = {
  host: string;
  port: number;
  logLevel: (typeof LOG_LEVELS)[number];
  logFormat: (typeof LOG_FORMATS)[number];
  targets: Record<string, string>;
  faults: boolean;
  allowHost: string[];
  token: string | undefined;
  history: number;
  maxSubscribers: number;
  maxWaiting: number;
  witness: boolean;
  record: string | undefined;
  bodyLimit: number;
};

const variable = (name: string): string => `SYSWIRE_${name.toUpperCase().replaceAll('-', '_')}`;

/** The environment variables that the service reads. */
export const VARIABLES = NAMES.map(variable);

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family === 0 ? host === 'localhost' : loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Find a setting's value, and the name of the flag or variable that gave it. A flag wins over its variable. An empty
 * value counts as not given.
 */
function findValue(
  name: Name,
  flags: Record<string, unknown>,
  env: NodeJS.ProcessEnv,
): { raw: unknown; source: string } {
  if (flags[name] !== undefined && flags[name] !== '') return { raw: flags[name], source: `--${name}` };
  const source = variable(name);
  const text = env[source] || undefined;
  const several = 'several' in FLAGS[name];
  return {
    raw: several
      ? text
          ?.split('\n')
          .map((line) => line.trim())
          .filter(Boolean)
      : text,
    source,
  };
}

/** Describe the first problem of a setting in one line, with the value that was given. A token is not repeated. */
function describeIssue(name: Name, source: string, raw: unknown, issue: z.core.$ZodIssue | undefined): string {
  const [index] = issue?.path ?? [];
  const value = Array.isArray(raw) ? raw[index as number] : raw;
  const isShown = name !== 'token' && typeof value === 'string';
  return `${source}${isShown ? ` ${value}` : ''}: ${issue?.message}`;
}

/**
 * Read the settings of the service.
 *
 * @param flags the flags that were given
 * @throws UsageError
 */
export function readConfig(flags: Values<typeof FLAGS>, env: NodeJS.ProcessEnv): Config {
  const checked = NAMES.map((name) => {
    const { raw, source } = findValue(name, flags, env);
    // Node decodes the environment as UTF-8. Another file than the one meant would be opened.
    if ([raw].flat().some((value) => typeof value === 'string' && value.includes('\ufffd')))
      throw new UsageError(`${source}: has bytes that are not UTF-8: give it in UTF-8`);
    const result = FLAGS[name].shape.safeParse(raw);
    if (result.success) return [name, result.data];
    throw new UsageError(describeIssue(name, source, raw, result.error.issues[0]));
  });
  const values = Object.fromEntries(checked) as Checked;
  if (values.token !== undefined && values['token-file'] !== undefined)
    throw new UsageError('a token and a token file are both given: leave one out');
  const secret = values.token ?? values['token-file'];
  if (secret === undefined && !isLoopback(values.host))
    throw new UsageError(
      `--host ${values.host} ${isIP(values.host) === 0 ? 'is no IP address: if it is the name of one, it is' : 'is'} open to other machines, so it needs a token: add --token-file FILE (or --token, or ${variable('token')})`,
    );
  return {
    host: values.host,
    port: values.port,
    logLevel: values['log-level'],
    logFormat: values['log-format'],
    targets: Object.fromEntries(values.target),
    faults: values.faults,
    allowHost: values['allow-host'],
    token: secret,
    history: values.history,
    maxSubscribers: values['max-subscribers'],
    maxWaiting: values['max-waiting'],
    witness: values.witness,
    record: values.record,
    bodyLimit: values['body-limit'],
  };
}

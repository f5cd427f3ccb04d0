// Says in plain words what is wrong with a value that zod refuses, in place of zod's own messages.
import * as z from 'zod';
import { suggestion } from './choices.js';
import { joinWithOr } from './format.js';
import { quote } from './quote.js';

/** For a field that must be there: what to give, such as `the text to write`. Enter the last link of its chain. */
export const asked = z.registry<{ give: string }>();

/** JSON's types, and what zod calls them. */
const TYPES: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};
const UNITS: Record<string, [one: string, many: string]> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
};

/** Writes a number with all its digits, in groups of three: `10,000,001`, `0.5`, `1e+300`. */
function exact(value: unknown): string {
  const text = String(value);
  return text.includes('e') ? text : Number(value).toLocaleString('en', { maximumFractionDigits: 20 });
}

/** Returns a value's type in words. Not the value: it may be a token. */
function typeOf(value: unknown): string {
  if (value === null || typeof value === 'boolean') return `${value}`;
  return (Array.isArray(value) ? TYPES.array : TYPES[typeof value]) ?? 'another value';
}

/** Says that a size or a number is beyond its limit: `must be at most 10`, `must have at least 1 entry`. */
function beyond(than: string, limit: unknown, origin: string, input: unknown): string {
  const unit = UNITS[origin];
  if (!unit) return `must be ${than} ${exact(limit)}, not ${exact(input)}`;
  const [one, many] = unit;
  return `must have ${than} ${exact(limit)} ${limit === 1 ? one : many}, not ${exact((input as string).length)}`;
}

type Issue<C extends z.core.$ZodIssue['code']> = z.core.$ZodRawIssue<Extract<z.core.$ZodIssue, { code: C }>>;

/** By zod's code: the words that follow the name of the field. https://zod.dev/error-customization */
const WORDS: { [C in z.core.$ZodIssue['code']]?: (issue: Issue<C>) => string } = {
  invalid_type({ expected, input, inst }) {
    const type = TYPES[expected] ?? expected;
    if (input === undefined) return `is missing: give ${(inst && asked.get(inst as z.ZodType)?.give) ?? type}`;
    // JSON.parse makes it of 1e400.
    if (input === Infinity || input === -Infinity) return 'has too many digits: give a smaller number';
    const isNumber = typeof input === 'number' && (expected === 'int' || expected === 'number');
    return `must be ${type}, not ${isNumber ? exact(input) : typeOf(input)}`;
  },
  invalid_value({ values, input }) {
    const remedy = `use ${joinWithOr(values.map(String))}`;
    if (input === undefined) return `is missing: ${remedy}`;
    return typeof input === 'string'
      ? `${quote(input)} is unknown: ${remedy}`
      : `must be text, not ${typeOf(input)}: ${remedy}`;
  },
  unrecognized_keys({ inst }) {
    const known = Object.keys((inst as z.ZodObject | undefined)?.shape ?? {});
    return `is unknown: leave it out, or use ${joinWithOr(known)}`;
  },
  too_big: ({ maximum, inclusive, origin, input }) =>
    beyond(inclusive === false ? 'below' : 'at most', maximum, origin, input),
  too_small: ({ minimum, inclusive, origin, input }) =>
    beyond(inclusive === false ? 'above' : 'at least', minimum, origin, input),
  invalid_union: ({ errors }) => errors.flatMap(([first]) => (first ? [first.message] : [])).join(', or '),
};

/** For shapes: the words of a check, behind the value that it refuses. */
export const withValue =
  (words: string): z.core.$ZodErrorMap =>
  ({ input }) =>
    `${quote(`${input}`)} ${words}`;

/** zod's error map for JSON. A shape's own messages come first; they too follow the name of the field. */
export const inWords: z.core.$ZodErrorMap = (issue) =>
  (WORDS[issue.code as keyof typeof WORDS] as ((issue: z.core.$ZodRawIssue) => string) | undefined)?.(issue) ??
  'has a form that is not allowed: GET /openapi.yaml describes it';

/** The same for a query. A parameter that is given more than once arrives as a list. */
const inWordsOfQuery: z.core.$ZodErrorMap = (issue) =>
  Array.isArray(issue.input) ? `is given ${issue.input.length} times: give it once` : inWords(issue);

/** The name of a field for people: `msg`, `writes[3].msg`. */
const nameOf = (path: readonly PropertyKey[]): string =>
  path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');

/** https://www.rfc-editor.org/rfc/rfc6901#section-3 */
const jsonPointer = (path: readonly PropertyKey[]): string =>
  `#${path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`;

/** Ask for the choice that was likely meant. Not in WORDS: there it would be sought for each of 10,000 writes. */
const suggestionFor = (issue: z.core.$ZodIssue): string =>
  issue.code === 'invalid_value' && typeof issue.input === 'string'
    ? suggestion(issue.input, issue.values.map(String))
    : '';

export type Faults = {
  /** One for each field, up to `most` of them. */
  errors: { pointer: string; detail: string }[];
  /** The number of faults that are not among them. */
  more: number;
};

/**
 * Describes the faults of a body or a query that its shape refuses.
 *
 * @returns `pointer`: `#/writes/3/msg` in a body, `?since` in a query; `detail`: the field's name, its fault, the remedy
 */
export function faultsOf(shape: z.ZodType, value: unknown, isQuery: boolean, most: number): Faults {
  const issues =
    shape.safeParse(value, { error: isQuery ? inWordsOfQuery : inWords, reportInput: true }).error?.issues ?? [];
  const found = new Map<string, string>();
  let more = 0;
  for (const issue of issues) {
    const { path, message } = issue;
    const name = nameOf(path);
    for (const key of issue.code === 'unrecognized_keys' ? issue.keys : [null]) {
      if (found.size >= most) {
        more += 1;
        continue;
      }
      const at = key === null ? path : [...path, key];
      const subject = key === null ? name || 'the body' : `${quote(key)}${name && ` in ${name}`}`;
      // A number may be beyond two limits: that of all whole numbers, and then the field's own, which stays.
      found.set(isQuery ? `?${String(at[0])}` : jsonPointer(at), `${subject} ${message}${suggestionFor(issue)}`);
    }
  }
  return { errors: [...found].map(([pointer, detail]) => ({ pointer, detail })), more };
}

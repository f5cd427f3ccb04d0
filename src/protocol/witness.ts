// The shapes of what a witness saw, for answers, records and documents.
import * as z from 'zod';
import { example, OsErrorShape } from './fields.js';
import type { Origin, SystemCall } from './system-call.js';

/** The most system calls in the answer of one write, in all answers of one POST /writes, and the most kinds of a burst. */
export const MAX_LISTED = { write: 256, writes: 100_000, kinds: 200 };

const OriginShape: z.ZodType<Origin> = z
  .object({
    file: z
      .string()
      .nullable()
      .describe('The file that the instruction was loaded from; null for code made at run time.'),
    offset: z
      .int()
      .nullable()
      .describe("The instruction's address in the file, as objdump and addr2line take it; null without a file."),
    symbol: z.string().nullable().describe('The exported function that it belongs to; null if it belongs to none.'),
    address: z.string().describe("The instruction's address in the service's memory, in hexadecimal."),
    isLevel: z
      .boolean()
      .describe('True for a call with which the level writes, from the place where the level makes it.'),
  })
  .meta({ id: 'Origin', description: 'The instruction that a system call came from.' });

const abi = z
  .enum(['x86-64', 'i386'])
  .describe('The calling convention. `int $0x80` makes calls of i386, whose numbers are others.');
const callNumber = z.int().describe("The call's number in this convention.");
const name = z.string().describe("The call's name in the kernel's headers; `syscall_N` where they have none.");
const result = z
  .number()
  .nullable()
  .describe("The result in the kernel's convention: −errno for an error. Null for a call that cannot be followed.");
const error = OsErrorShape.nullable().describe('The error in words; null if there is none.');

const originExample = {
  file: '/srv/syswire/prebuilds/linux-x64/syswire.node',
  offset: 0x7a4a,
  symbol: null,
  address: '0x7f3a5c006a4a',
  isLevel: true,
};
const callExample = {
  abi: 'x86-64' as const,
  number: 1,
  name: 'write',
  result: 6,
  error: null,
  origin: originExample,
};

export const SystemCallShape: z.ZodType<SystemCall> = z
  .object({
    abi,
    number: callNumber,
    name,
    arguments: z
      .array(z.union([z.number(), z.string()]))
      .describe(
        'The six registers of the arguments; a call that takes fewer ignores the rest. A value that a JSON number cannot hold exactly is a string in hexadecimal.',
      ),
    result,
    error,
    origin: OriginShape,
    preview: z
      .string()
      .nullable()
      .describe("The first 64 bytes that a write wrote, escaped as in a record's `preview`; null for other calls."),
  })
  .meta({
    id: 'SystemCall',
    description: 'One system call, as the kernel got it from the thread that made the write.',
    ...example({ ...callExample, arguments: [18, 140_735_011_487_744, 6, 0, 0, 0], preview: 'hello\\n' }),
  });

const VERDICT = '`agrees` if the system calls confirm the result, or one sentence that says what does not.';
const DROPPED = 'The number of system calls that were made and are not in the list, because there were too many.';
const dropped = z.int().min(0);
/** The same for fields that are there only with a witness. */
const droppedIfAny = dropped.optional().describe(`${DROPPED} Only with a witness.`);

/** The fields of a witness's report: in an answer or a record only if there was one. */
export const witnessed = {
  systemCalls: z
    .array(SystemCallShape)
    .optional()
    .describe(
      'The system calls that the thread made during the write, in the order in which they ended. Only with a witness.',
    ),
  complete: z
    .boolean()
    .optional()
    .describe('False if there may have been more calls after the last one in the list. Only with a witness.'),
  dropped: droppedIfAny,
  verdict: z.string().optional().describe(`${VERDICT} Only with a witness.`),
};

/** The report of a witness about one call at this level, for GET /levels. */
export const Sighting = z
  .object({
    systemCalls: z.array(SystemCallShape).describe('The system calls, in the order in which they ended.'),
    complete: z.boolean().describe('False if there may have been more calls after the last one in the list.'),
    dropped: dropped.describe(DROPPED),
    verdict: z.string().describe(VERDICT),
  })
  .meta({ id: 'Sighting', description: 'What a witness saw of one call.' });

const SystemCallKind = z
  .object({
    abi,
    number: callNumber,
    name,
    result,
    error,
    origin: OriginShape,
    times: z.int().min(1).describe('The number of these calls.'),
  })
  .meta({
    id: 'SystemCallKind',
    description:
      'System calls of a burst that have the same name, convention, origin and result. Addresses and offsets in a file differ from call to call: of these, `result` is the first.',
    ...example({ ...callExample, times: 100_000 }),
  });
export type SystemCallKind = z.infer<typeof SystemCallKind>;

/** The fields of a witness's report about a burst. */
export const witnessedBurst = {
  systemCalls: z
    .array(SystemCallKind)
    .optional()
    .describe('The system calls of all calls together, the most frequent kind first. Only with a witness.'),
  complete: z
    .boolean()
    .optional()
    .describe('False if the list of at least one call may have ended early. Only with a witness.'),
  dropped: droppedIfAny,
  disagreed: z
    .int()
    .min(0)
    .optional()
    .describe('The number of calls whose verdict was not `agrees`. Only with a witness.'),
  verdict: z
    .string()
    .optional()
    .describe('`agrees` if every verdict was `agrees`, else the first that was not. Only with a witness.'),
};

export const witnessFlag = z
  .boolean()
  .default(false)
  .describe(
    'True to make the call under a witness, which lists the system calls that the kernel got. The call then takes some microseconds longer.',
  );

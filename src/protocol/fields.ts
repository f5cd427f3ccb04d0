// Fields that several shapes share. No behaviour in this folder: openapi.yaml, asyncapi.yaml and the serializers
// are made from its shapes.
import { z } from 'zod';
import { LEVEL_IDS, TARGET_NAME, TARGET_NAME_IN_WORDS } from './names.js';

export const example = <T>(value: T): { examples: T[] } => ({ examples: [value] });

export const LevelName = z.enum(LEVEL_IDS).meta({
  id: 'LevelName',
  description:
    'How the call is made: `raw` by our own instruction, `int80` by the software interrupt of 32-bit programs (Linux, x86-64), `uring` as an entry in an io_uring (Linux), `os` through libc (kernel32 on Windows), `std` through `fs.writeSync`.',
});

export const TargetName = z
  .string()
  .regex(TARGET_NAME, `a target name is ${TARGET_NAME_IN_WORDS}`)
  .describe('The name of a target, as `GET /targets` lists it.');

export const RequestId = z
  .string()
  .describe("The request's id: its `X-Request-Id` (1 to 64 of `A-Z a-z 0-9 _ . -`), or one made for it.");
export const Requested = z.int().min(0).describe('Bytes that the call was asked to write.');
export const Written = z
  .int()
  .min(0)
  .describe('Bytes that the operating system took. On Windows a full pipe takes none, without an error.');
export const Seq = z
  .int()
  .min(1)
  .describe('The number of a record: 1 for the first call of a run, one more for each call.');
export const DurationNs = z.int().min(0);

const OsErrorShape = z
  .object({
    code: z.string().describe("The error's name: `ENOSPC`, on Windows `ERROR_DISK_FULL`."),
    errno: z.int().describe("The operating system's own number for it."),
    message: z.string().describe("The operating system's own words for it."),
  })
  .meta({
    id: 'OsError',
    description: 'What the operating system said.',
    ...example({ code: 'ENOSPC', errno: 28, message: 'No space left on device' }),
  });

export const OsRefusal = OsErrorShape.nullable().describe(
  "The operating system's refusal; null when it took the call.",
);

// Fields that several shapes share. openapi.yaml, asyncapi.yaml and the serializers are made from the shapes in this
// folder.
import * as z from 'zod';
import { withValue } from './messages.js';
import { LEVEL_IDS, LEVELS_IN_WORDS, TARGET_NAME, TARGET_NAME_IN_WORDS } from './names.js';
import type { OsError } from './system-call.js';

export const example = <T>(value: T): { examples: T[] } => ({ examples: [value] });

export const LevelName = z.enum(LEVEL_IDS).meta({
  id: 'LevelName',
  description: `The way in which the call is made. ${LEVEL_IDS.map((id) => `\`${id}\`: ${LEVELS_IN_WORDS[id].is}.`).join(' ')}`,
});

export const TargetName = z
  .string()
  .regex(TARGET_NAME, { error: withValue(`is not a target name: use ${TARGET_NAME_IN_WORDS}`) })
  .describe('The name of a target. `GET /targets` lists the names.');

export const HostName = z.string().describe("The name of the service's machine.");

export const RequestId = z
  .string()
  .describe(
    "The request's id: its `X-Request-Id` (1 to 64 of the characters `A-Z a-z 0-9 _ . -`), or an id that the service made.",
  );
export const Requested = z.int().min(0).describe('The number of bytes that the call was asked to write.');
export const Written = z
  .int()
  .min(0)
  .describe(
    'The number of bytes that the operating system accepted. On Windows a full pipe accepts none, without an error.',
  );
export const Seq = z
  .int()
  .min(1)
  .describe('The number of a record. The first call of a run has 1, and each further call has the next number.');
export const DurationNs = z.int().min(0);

export const OsErrorShape: z.ZodType<OsError> = z
  .object({
    code: z
      .string()
      .describe(
        "The error's name: `ENOSPC`, on Windows `ERROR_DISK_FULL`. `IMPOSSIBLE_COUNT`: the call returned more than it was asked to write; `NO_ERRNO`: it failed without an errno. With these two, something between the service and the kernel is not truthful.",
      ),
    errno: z.int().describe("The operating system's number for the error; 0 for `IMPOSSIBLE_COUNT` and `NO_ERRNO`."),
    message: z.string().describe("The operating system's description of the error."),
  })
  .meta({
    id: 'OsError',
    description: "The operating system's error.",
    ...example({ code: 'ENOSPC', errno: 28, message: 'No space left on device' }),
  });

export const OsRefusal = OsErrorShape.nullable().describe(
  'The error with which the operating system refused the call; null if it accepted the call.',
);

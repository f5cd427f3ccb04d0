// Why no call was made.
import { z } from 'zod';

export const Problem = z
  .object({
    type: z.string().describe('`about:blank`: the status says what kind of problem it is.'),
    title: z.string().describe("The status in HTTP's own words."),
    status: z.int().describe('The HTTP status.'),
    detail: z.string().describe('What is wrong and what to do about it.'),
    requestId: z.string().optional().describe("The request's id, where it came far enough to have one."),
    errors: z
      .array(
        z.object({
          pointer: z
            .string()
            .describe('Where: a JSON Pointer into the body (`#/msg`), or the name of a parameter (`?since`).'),
          detail: z.string().describe('What is wrong there.'),
        }),
      )
      .optional()
      .describe('The fields at fault.'),
  })
  .meta({ id: 'Problem', description: 'Why no call was made (RFC 9457).' });
export type Problem = z.infer<typeof Problem>;

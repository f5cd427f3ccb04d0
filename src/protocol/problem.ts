// The body of every answer to a request that made no call: https://www.rfc-editor.org/rfc/rfc9457
import * as z from 'zod';

export const Problem = z
  .object({
    type: z.string().describe('Always `about:blank`: `status` gives the kind of problem.'),
    title: z.string().describe('The name of the status in HTTP.'),
    status: z.int().describe('The HTTP status.'),
    detail: z.string().describe('The mistake, and what to do about it.'),
    requestId: z.string().optional().describe("The request's id. Missing if the request could not be read."),
    errors: z
      .array(
        z.object({
          pointer: z
            .string()
            .describe('The field: a JSON Pointer into the body (`#/msg`), or the name of a parameter (`?since`).'),
          detail: z.string().describe('The mistake in this field.'),
        }),
      )
      .optional()
      .describe('The fields that are wrong.'),
  })
  .meta({ id: 'Problem', description: 'The reason why no call was made (RFC 9457).' });
export type Problem = z.infer<typeof Problem>;

// Checks bodies and queries against their shapes, in place of the validator of fastify-type-provider-zod: a refusal has
// our own words.
import type { FastifySchemaCompiler } from 'fastify';
import type * as z from 'zod';
import { faultsOf } from '../../protocol/messages.js';
import { type Refusal, refusal } from '../refusal.js';

/** The most fields that one problem lists. A body may have a million unknown keys, and an answer should stay short. */
const MAX_FIELD_ERRORS = 20;

function malformed(shape: z.ZodType, value: unknown, isQuery: boolean): Refusal {
  const { errors, more } = faultsOf(shape, value, isQuery, MAX_FIELD_ERRORS);
  const details = errors.map(({ detail }) => detail);
  if (more > 0) details.push(`and ${more} more`);
  return refusal('malformed', details.join('; ').replaceAll('?; ', '? '), { errors });
}

export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  const isQuery = httpPart === 'querystring';
  return (value) => {
    // Without an error map, which costs each good request its copy: a bad one is checked once more.
    const checked = schema.safeParse(value);
    return checked.success ? { value: checked.data } : { error: malformed(schema, value, isQuery) };
  };
};

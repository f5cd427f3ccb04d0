// zod shapes → compiled serializers. fastify-type-provider-zod's own checks every answer again:
// 3,150 ns each, against 204 ns for fast-json-stringify made from the same shape.
import fastJson from 'fast-json-stringify';
import type { FastifySerializerCompiler } from 'fastify';
import { z } from 'zod';

export type Serializer = (value: unknown) => string;

const compiled = new WeakMap<z.core.$ZodType, Serializer>();

/** `X | null` as `nullable: true`, which is a test, where `anyOf` would run a validator at each answer. */
const override = ({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void => {
  const [shape, none, ...others] = jsonSchema.anyOf ?? [];
  if (!shape || none?.type !== 'null' || others.length > 0) return;
  delete jsonSchema.anyOf;
  Object.assign(jsonSchema, shape, { nullable: true });
};

/** A function that makes JSON of values of that shape, compiled once; keys the shape lacks are left out. */
export function serializer(shape: z.core.$ZodType): Serializer {
  let serialize = compiled.get(shape);
  if (!serialize) {
    const schema = z.toJSONSchema(shape, { target: 'draft-7', reused: 'inline', metadata: z.registry(), override });
    serialize = fastJson(schema as fastJson.Schema) as Serializer;
    compiled.set(shape, serialize);
  }
  return serialize;
}

export const serializerCompiler: FastifySerializerCompiler<z.core.$ZodType> = ({ schema }) => serializer(schema);

// The lines of tracers that print an object a line.

export type Fields = Record<string, unknown>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Returns a field of an object that has it as an object; an empty one otherwise. */
export function fieldsOf(value: unknown, ...names: string[]): Fields {
  const inner = names.reduce<unknown>((outer, name) => (isFields(outer) ? outer[name] : undefined), value);
  return isFields(inner) ? inner : {};
}

/** Returns the object of a line, undefined if it has none. It may be one of a list that has a line for each object. */
export function parseFields(line: string): Fields | undefined {
  // A line of another program is known without the cost of an exception.
  const [, object] = /^[[,\s]*(\{.*\})[\],\s]*$/s.exec(line) ?? [];
  if (object === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(object);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Returns milliseconds since 1970 for a time such as 2026-12-01T16:07:55.805123456Z, whose fraction Date would cut. */
export function isoToMs(value: unknown): number | undefined {
  const parts = typeof value === 'string' ? /^([\d-]+[T ][\d:]+)(\.\d+)?(.*)$/.exec(value) : null;
  if (!parts) return undefined;
  const [, seconds, fraction = '', zone] = parts;
  const time = Date.parse(`${seconds}${zone}`);
  return Number.isNaN(time) ? undefined : time + Number(`0${fraction}`) * 1000;
}

// A JSON trace of an unknown kind: which fields it lacks, and the jq line that would make NDJSON of it.

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** The fields of NDJSON, with the names that tracers give them. */
const NAMES: [field: string, names: RegExp][] = [
  ['time', /^(time|ts|timestamp|start|nsecs|evt_?time.*)$/i],
  ['pid', /^(pid|process_?id|tgid|host_?process_?id)$/i],
  ['tid', /^(tid|thread_?id|host_?thread_?id)$/i],
  ['fd', /^(fd|descriptor|file_?descriptor|fd_?num)$/i],
  ['count', /^(count|size|len|length|nbytes?|requested)$/i],
  ['ret', /^(ret|retval?|return_?value|result|res|rc|exit|written)$/i],
  ['bytes', /^(bytes|buf|buffer|data)$/i],
];
export const REQUIRED = ['fd', 'count', 'ret'] as const;
const DEEPEST = 4;

/** Returns the paths of an object's simple values, as jq writes them, the least deep first. */
function pathsOf(value: Json, before = '', depth = 0): [path: string, key: string][] {
  const entries = Object.entries(value).map(([key, inner]): [string, string, unknown] => [
    `${before}${/^[a-z_]\w*$/i.test(key) ? `.${key}` : `${before === '' ? '.' : ''}[${JSON.stringify(key)}]`}`,
    key,
    inner,
  ]);
  return [
    ...entries.filter(([, , inner]) => typeof inner !== 'object').map(([path, key]): [string, string] => [path, key]),
    ...entries.flatMap(([path, , inner]) =>
      isObject(inner) && depth < DEEPEST ? pathsOf(inner, path, depth + 1) : [],
    ),
  ];
}

/** Returns why the trace cannot be read, and the command that makes NDJSON of it. */
export function describeUnknown(value: Json): string {
  const paths = pathsOf(value);
  const found = NAMES.map(([field, names]) => [field, paths.find(([, key]) => names.test(key))?.[0]] as const);
  const lacking = REQUIRED.filter((field) => typeof value[field] !== 'number');
  const fields = found
    .filter(([field, path]) => path !== undefined || (REQUIRED as readonly string[]).includes(field))
    .map(([field, path]) => `${field}: ${path ?? `.YOUR_${field.toUpperCase()}`}`)
    .join(', ');
  return `this JSON has no number ${lacking.join(', ')}: make NDJSON of it, for example with jq -c '{${fields}}' TRACE`;
}

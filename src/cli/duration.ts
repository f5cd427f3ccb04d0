// A time in the unit that suits it, for people.

const UNITS: [ns: number, name: string][] = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
];

/** @param ns nanoseconds @returns three digits or so: `410 ns`, `5.21 µs`, `12.3 ms` */
export function duration(ns: number): string {
  const [size, name] = UNITS.find(([size]) => ns >= size) ?? [1, 'ns'];
  const value = ns / size;
  const digits = size === 1 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${name}`;
}

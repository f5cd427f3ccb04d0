// Formats numbers and lists for people, in the same way everywhere. This file runs in the browser too.

const UNITS: [ns: number, name: string][] = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
];

/** @param ns nanoseconds @returns about three digits, in the unit that fits: `410 ns`, `5.21 µs`, `12.3 ms` */
export function duration(ns: number): string {
  const [size, name] = UNITS.find(([size]) => ns >= size) ?? [1, 'ns'];
  const value = ns / size;
  const digits = size === 1 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${name}`;
}

/** @param value is rounded to a whole number @returns the digits in groups of three: `1,234,567` */
export const number = (value: number): string => Math.round(value).toLocaleString('en');

/** Joins words for a message: `raw, os or std`. */
export const joinWithOr = (words: readonly string[]): string =>
  [words.slice(0, -1).join(', '), words.at(-1)].filter(Boolean).join(' or ');

/** @param time milliseconds since 1970 @returns the local time of day with milliseconds: `14:03:07.250` */
export function clock(time: number): string {
  const at = new Date(time);
  return `${at.toTimeString().slice(0, 8)}.${`${at.getMilliseconds()}`.padStart(3, '0')}`;
}

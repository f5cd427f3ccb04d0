// A line of the log as text for people.
import { clock } from '../protocol/format.js';
import { escapeLines } from '../protocol/unsafe.js';
import { paint, type Style } from './colours.js';

/** https://github.com/pinojs/pino/blob/main/docs/api.md#loggerlevels-object */
const LEVELS: Readonly<Record<number, readonly [name: string, style: Style]>> = {
  10: ['trace', 'dim'],
  20: ['debug', 'dim'],
  30: ['info', 'green'],
  40: ['warn', 'yellow'],
  50: ['error', 'red'],
  60: ['fatal', 'red'],
};

type Line = {
  level: number;
  time: number;
  msg?: string;
  address?: string;
  err?: { message?: string; stack?: string };
  pid?: number;
  hostname?: string;
};

/** A value may come from outside: with a line feed it could pass for lines of the log. */
const oneLine = (text: string): string => escapeLines(text.replaceAll('\n', '\\n'));

/**
 * Return a function that formats a line of pino's JSON.
 *
 * @param hasColours true for escape sequences
 */
export function lineFormat(hasColours: boolean): (json: string) => string {
  const dye = (style: Style, text: string): string => (hasColours ? paint(style, text) : text);
  return (json) => {
    const { level, time, msg = '', address, err, pid: _pid, hostname: _hostname, ...rest } = JSON.parse(json) as Line;
    if (msg === 'listening' && address !== undefined)
      return `syswire: ${dye('bold', oneLine(`${address}/`))}  (Ctrl-C stops it)\n`;
    const [name, style] = LEVELS[level] ?? [`${level}`, 'white'];
    const fields = Object.entries(rest).map(
      ([key, value]) => `  ${key}=${oneLine(typeof value === 'string' ? value : JSON.stringify(value))}`,
    );
    const reason = err?.message === undefined || err.message === msg ? '' : `: ${oneLine(err.message)}`;
    const stack = err?.stack?.split('\n').slice(1) ?? [];
    return [
      `${dye('dim', clock(time))}  ${dye(style, name.padEnd(5))}  ${oneLine(msg)}${reason}${dye('dim', fields.join(''))}`,
      ...stack.map((line) => dye('dim', `    ${oneLine(line.trim())}`)),
      '',
    ].join('\n');
  };
}

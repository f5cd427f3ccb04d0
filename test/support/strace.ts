// Parses the output of `strace -f -xx -e trace=write`.
import { constants } from 'node:os';

export type TracedWrite = { pid: number; fd: number; bytes: Buffer; count: number; result: number; injected: boolean };

/** Matches `123 write(1, "\x68\x69", 2) = 2`, or `… = -1 EIO (Input/output error) (INJECTED)`. */
const WRITE =
  /^(\d+)\s+(?:[\d.]+ )?write\((-?\d+)(?:<[^>]*>)?, (?:"((?:\\x[\da-f]{2})*)"|NULL|0x[\da-f]+), (\d+)\s*\)\s*= (-?\d+)(?: (E[A-Z0-9]+))?(.*)$/;

/** Returns every `write` of a trace. @throws on a write that it cannot parse, so that none is overlooked */
export function parseStrace(trace: string): TracedWrite[] {
  return joinTorn(trace).flatMap((line) => {
    if (!/\bwrite\(/.test(line)) return [];
    const match = WRITE.exec(line);
    if (!match) throw new Error(`not a write: ${line}`);
    const [, pid, fd, hex = '', count, result, code, rest = ''] = match;
    const errno = code ? ((constants.errno as Record<string, number>)[code] ?? 0) : 0;
    return {
      pid: Number(pid),
      fd: Number(fd),
      bytes: Buffer.from(hex.replaceAll('\\x', ''), 'hex'),
      count: Number(count),
      result: code ? -errno : Number(result),
      injected: rest.includes('INJECTED'),
    };
  });
}

/**
 * Joins the calls that strace printed in two parts, as it may with several threads: `… <unfinished ...>`, and later
 * `<... write resumed>) = 2`.
 */
export function joinTorn(trace: string): string[] {
  const open = new Map<string, string>();
  const lines: string[] = [];
  for (const line of trace.split('\n')) {
    const pid = line.split(' ', 1)[0] as string;
    if (line.endsWith('<unfinished ...>')) open.set(pid, line.slice(0, -'<unfinished ...>'.length));
    else if (line.includes(' resumed>'))
      lines.push((open.get(pid) ?? '') + line.slice(line.indexOf(' resumed>') + ' resumed>'.length));
    else lines.push(line);
  }
  return lines;
}

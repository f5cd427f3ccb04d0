// The columns before the call in a line of strace: each is there with its option only.

/** The thread, the time in milliseconds, and the place in the line where the call begins. */
export type Leader = { id: string; time: number | undefined; end: number };

// `12`, `[pid 12]`, `12<node>` (--decode-pids=comm), `12 /* 3 in strace's PID NS */` (--decode-pids=pidns).
const ID = String.raw`(?:<[^>]*>)?(?: \/\*[^*]*\*\/)?`;
const LEADER = new RegExp(
  [
    String.raw`^(?:\s*\[pid\s+(\d+)${ID}\]\s+|(\d{1,7})${ID}\s+)?`,
    // --secontext
    String.raw`(?:\[[^\]:]*:[^\]]*\]\s+)?`,
    // -ttt, or -t and -tt
    String.raw`(?:(?:(\d{9,}(?:\.\d+)?)|(\d\d):(\d\d):(\d\d(?:\.\d+)?))\s+)?`,
    // -r, in parentheses beside another time
    String.raw`(?:\(\+\s*[\d.]+\)\s+|\s*(\d+(?:\.\d+)?)\s+)?`,
    // -n, -i
    String.raw`(?:\[\s*[\da-f?]+\]\s+)*`,
  ].join(''),
);

/** Returns a function that reads the columns before a call. */
export function createLeaderReader(): (line: string) => Leader {
  /** The sum of what -r shows, the time since the line before. */
  let elapsed = 0;
  return (line) => {
    const [head, bracketed, plain, seconds, hour, minute, second, relative] = LEADER.exec(line) as RegExpExecArray;
    const leader: Leader = { id: bracketed ?? plain ?? '', time: undefined, end: head.length };
    if (seconds !== undefined) leader.time = Number(seconds) * 1000;
    else if (hour !== undefined) leader.time = (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000;
    else if (relative !== undefined) {
      elapsed += Number(relative) * 1000;
      leader.time = elapsed;
    }
    return leader;
  };
}

// Measures the service: its heap through the inspector, after forced collections; its descriptors and threads as the
// kernel counts them. https://chromedevtools.github.io/devtools-protocol/v8/HeapProfiler/
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { WebSocket } from 'ws';

export type Held = {
  /** JavaScript's heap and the memory outside it that belongs to its objects, in bytes. */
  heap: number;
  resident: number;
  /** Each as `number → file`. */
  descriptors: string[];
  threads: number;
};

export type Inspector = { collect: () => Promise<Pick<Held, 'heap' | 'resident'>>; close: () => void };

/** Connects to the inspector of a process that was started with --inspect. @param log the lines of its stderr */
export async function openInspector(log: readonly string[]): Promise<Inspector> {
  const url = log.map((line) => /^Debugger listening on (ws:\S+)/.exec(line)?.[1]).find(Boolean);
  if (!url) throw new Error(`no inspector: ${log.join('\n')}`);
  const socket = new WebSocket(url);
  await once(socket, 'open');
  let id = 0;

  async function ask(method: string, params: object = {}): Promise<{ result: { value: unknown } }> {
    socket.send(JSON.stringify({ id: ++id, method, params }));
    for (;;) {
      const [data] = await once(socket, 'message', { signal: AbortSignal.timeout(60_000) });
      const answer = JSON.parse(String(data));
      if (answer.id === id) return answer.result;
    }
  }

  return {
    async collect() {
      // The first collection runs finalizers, which free objects for the second one.
      for (let i = 0; i < 2; i++) await ask('HeapProfiler.collectGarbage');
      const { result } = await ask('Runtime.evaluate', { expression: 'process.memoryUsage()', returnByValue: true });
      const { heapUsed, external, rss } = result.value as NodeJS.MemoryUsage;
      return { heap: heapUsed + external, resident: rss };
    },
    close: () => socket.terminate(),
  };
}

/** Lists the open descriptors of a process, each as `number → file`. */
export const descriptorsOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).map((fd) => `${fd} → ${linkOf(`/proc/${pid}/fd/${fd}`)}`);

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return 'nothing'; // closed meanwhile
  }
}

/** Counts the threads of a process, without the kernel's io_uring workers, which come and go with the load. */
export const threadsOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).filter((task) => !commOf(`/proc/${pid}/task/${task}`).startsWith('iou-')).length;

function commOf(task: string): string {
  try {
    return readFileSync(`${task}/comm`, 'latin1');
  } catch {
    return 'iou-'; // ended meanwhile, as only the workers do
  }
}

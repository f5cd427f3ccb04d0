// A stop, from the first signal to the last closed descriptor. It is over in 5 s, whatever clients do.
import type { Tasks } from './tasks.js';

/** How long running tasks may go on, so that all phases fit into 5 s. */
const GRACE_MS = 3500;
/** How long answers may take to leave once no task runs. A connection without a whole request has nothing to wait for. */
const LINGER_MS = 300;

export type Phases = {
  tasks: Tasks;
  /** Makes no call from now on: a request whose body arrives later is refused. */
  endCalls: () => void;
  /** Sends subscribers their last records, and closes the stream. */
  endStream: () => void;
  /** Cuts the connections that are still open. */
  cutConnections: () => void;
  /** Writes the last records to the record file, and closes every target. */
  closeFiles: () => void;
};

export type Shutdown = {
  isStopping: () => boolean;
  /** Begins a stop. */
  begin: () => void;
  /** Resolves once every phase is over; only the connections may still be closing. */
  finish: () => Promise<void>;
};

/**
 * The phases of a stop, in order:
 *
 * 1. Running tasks go on, for 3.5 s at most. New requests are refused.
 * 2. No more calls: only now does the journal hold every record.
 * 3. Subscribers get the rest of the records, and a goodbye.
 * 4. Connections that are still open after a moment are cut.
 * 5. The record file and the targets are closed.
 */
export function createShutdown({ tasks, endCalls, endStream, cutConnections, closeFiles }: Phases): Shutdown {
  const timers: NodeJS.Timeout[] = [];
  let isStopping = false;
  let served = Promise.resolve();

  async function serveTheRest(): Promise<void> {
    timers.push(setTimeout(tasks.abort, GRACE_MS));
    await tasks.settled();
    endCalls();
    // Tasks that were begun meanwhile.
    tasks.abort();
    await tasks.settled();
    endStream();
    timers.push(setTimeout(cutConnections, LINGER_MS));
  }

  return {
    isStopping: () => isStopping,
    begin() {
      isStopping = true;
      served = serveTheRest();
    },
    async finish() {
      // A write that came by inject() has no connection that app.close() would have waited for.
      endCalls();
      await served;
      for (const timer of timers) clearTimeout(timer);
      closeFiles();
    },
  };
}

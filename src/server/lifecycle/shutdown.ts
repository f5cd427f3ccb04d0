// Stops the service, in phases. A stop takes 5 s at most, whatever clients do.
import type { Tasks } from './tasks.js';

/**
 * The time that running tasks may go on, in ms. All phases together fit into 5 s: this one, up to 250 ms until a wait for
 * room sees the abort (syscalls/targets/wait-for-room.ts), and 700 ms for subscribers (records/stream.ts) and the last
 * answers.
 */
const GRACE_MS = 3500;
/** The time that the last answers have to leave, in ms. Connections that wait for the rest of a request are cut too. */
const LINGER_MS = 300;
/** The time after which every other connection is cut, in ms. By then the stream has cut its subscribers. */
const LAST_CUT_MS = 700;

export type Phases = {
  tasks: Tasks;
  /** Refuses calls from now on, so that a request whose body arrives late makes none. */
  endCalls: () => void;
  /** Sends the subscribers their last records and closes the stream. */
  endStream: () => void;
  /** Cuts the connections on which Node waits for requests or answers. */
  cutRequests: () => void;
  /** Cuts all connections. */
  cutConnections: () => void;
  /** Writes the last records to the record file and closes every target. */
  closeFiles: () => void;
};

export type Shutdown = {
  isStopping: () => boolean;
  /** Begins a stop. */
  begin: () => void;
  /** Resolves when every phase is over. Connections may still be closing. */
  finish: () => Promise<void>;
};

/**
 * Makes the functions that stop the service. The phases, in order:
 *
 * 1. New requests are refused. Running tasks go on for 3.5 s at most.
 * 2. Calls are refused. From now on the journal is complete.
 * 3. Subscribers receive the rest of the records and a close frame.
 * 4. Connections with requests are cut after LINGER_MS, all others after LAST_CUT_MS.
 * 5. The record file and the targets are closed.
 */
export function createShutdown(phases: Phases): Shutdown {
  const { tasks, endCalls, endStream, cutRequests, cutConnections, closeFiles } = phases;
  const timers: NodeJS.Timeout[] = [];
  let isStopping = false;
  let served = Promise.resolve();

  async function serveTheRest(): Promise<void> {
    timers.push(setTimeout(tasks.abort, GRACE_MS));
    await tasks.settled();
    endCalls();
    // A request whose body arrived late may have begun a task meanwhile.
    tasks.abort();
    await tasks.settled();
    endStream();
    timers.push(setTimeout(cutRequests, LINGER_MS), setTimeout(cutConnections, LAST_CUT_MS));
  }

  return {
    isStopping: () => isStopping,
    begin() {
      isStopping = true;
      served = serveTheRest();
    },
    async finish() {
      // Requests by inject() have no connection for which app.close() waits, so they may still arrive here.
      endCalls();
      await served;
      for (const timer of timers) clearTimeout(timer);
      closeFiles();
    },
  };
}

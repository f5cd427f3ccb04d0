// Ends the process when a stop signal comes and the event loop is stuck: see native/watchdog.cc.
import { addon } from './addon.js';

/** The time that the event loop has to come round after a signal, in seconds. */
const STUCK_S = 5;
const FEED_MS = 1000;

/**
 * Watches the event loop from the first SIGTERM, SIGINT or SIGHUP on. When it does not come round for 5 s, the process
 * ends with 128 and the signal's number. Call it once the handlers of these signals are there.
 *
 * Without the addon it does nothing.
 *
 * @returns a function to call in the handler of the first signal
 */
export function startWatchdog(): () => void {
  if (typeof addon === 'string') return () => {};
  const { start, feed } = addon.watchdog;
  start(STUCK_S);
  return () => {
    feed();
    setInterval(feed, FEED_MS).unref();
    // Handlers of the exit run without the event loop: they get the whole time once more.
    process.once('exit', feed);
  };
}

// Ends a process whose event loop is stuck when a stop signal comes: see watchdog.cc.
#ifndef SYSWIRE_WATCHDOG_H
#define SYSWIRE_WATCHDOG_H

// Watches SIGTERM, SIGINT and SIGHUP. Call it after their handlers were installed: it calls them, too.
void watchdog_start(unsigned seconds);

// Grants the event loop another `seconds`. Does nothing before the first signal.
void watchdog_feed();

#endif

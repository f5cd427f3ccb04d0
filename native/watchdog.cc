// A signal sets an alarm, and the event loop must reset it again and again. JavaScript alone cannot do this: its handlers
// run in the event loop, and a call that never returns blocks that. One such call is fs.writeSync: libuv repeats a
// write(2) that answers EINTR without end (uv__fs_write in
// https://github.com/libuv/libuv/blob/v1.x/src/unix/fs.c), and a seccomp filter or an LD_PRELOAD library may let every
// write answer so.
//
// Everything that the handlers call is async-signal-safe: https://man7.org/linux/man-pages/man7/signal-safety.7.html
#include "watchdog.h"

#ifdef __APPLE__
#include "arch/darwin-signal.h"
#else
#include <signal.h>
#include <unistd.h>
#endif

namespace {

const int SIGNALS[] = {SIGTERM, SIGINT, SIGHUP};

struct sigaction previous[NSIG];
volatile sig_atomic_t limit = 0;
// The first signal that came; 0 before.
volatile sig_atomic_t first = 0;

void on_alarm(int) { _exit(128 + first); }

void on_signal(int number, siginfo_t* info, void* context) {
  if (first == 0) {
    first = number;
    alarm(static_cast<unsigned>(limit));
  }
  const struct sigaction& handler = previous[number];
  if (handler.sa_flags & SA_SIGINFO) {
    handler.sa_sigaction(number, info, context);
  } else {
    handler.sa_handler(number);
  }
}

}  // namespace

void watchdog_start(unsigned seconds) {
  if (limit != 0) return;
  limit = static_cast<sig_atomic_t>(seconds);
  struct sigaction at_alarm = {};
  at_alarm.sa_handler = on_alarm;
  sigaction(SIGALRM, &at_alarm, nullptr);
  for (const int number : SIGNALS) {
    if (sigaction(number, nullptr, &previous[number]) != 0) continue;
    // Without a handler, the kernel itself ends the process, or ignores the signal.
    if (!(previous[number].sa_flags & SA_SIGINFO) &&
        (previous[number].sa_handler == SIG_DFL || previous[number].sa_handler == SIG_IGN)) {
      continue;
    }
    struct sigaction watched = previous[number];
    watched.sa_flags |= SA_SIGINFO;
    watched.sa_sigaction = on_signal;
    sigaction(number, &watched, nullptr);
  }
}

void watchdog_feed() {
  if (first != 0) alarm(static_cast<unsigned>(limit));
}

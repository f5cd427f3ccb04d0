// The part of <signal.h> and <unistd.h> that watchdog.cc uses, as macOS has it on both CPUs: the addon is built for it
// also where its headers are not, and Linux's have other numbers and another struct sigaction.
// Sources: bsd/sys/signal.h in XNU's source; sigaction(2) and alarm(3) of macOS.
#pragma once
#include <stdint.h>

enum { SIGHUP = 1, SIGINT = 2, SIGALRM = 14, SIGTERM = 15, NSIG = 32 };

struct siginfo_t;
using sig_atomic_t = int;
using Handler = void (*)(int);

struct sigaction {
  union {
    Handler sa_handler;
    void (*sa_sigaction)(int, siginfo_t*, void*);
  };
  uint32_t sa_mask;
  int sa_flags;
};
static_assert(sizeof(struct sigaction) == 16, "handler, mask, flags");

constexpr int SA_SIGINFO = 0x40;
const Handler SIG_DFL = nullptr;
const Handler SIG_IGN = reinterpret_cast<Handler>(1);

extern "C" {
int sigaction(int number, const struct sigaction* action, struct sigaction* previous);
unsigned alarm(unsigned seconds);
[[noreturn]] void _exit(int status);
}

// The SIGSYS handler of the process: sigaction(2). A signal handler uses what is here, so it calls nothing of libc, and
// it needs no thread-local variable, whose memory is allocated at its first use.
#include "sigsys.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "dispatch.h"
#include "syscall.h"

namespace {

// SA_RESTORER in arch/x86/include/uapi/asm/signal.h in the kernel's source: libc does not export it.
constexpr unsigned long RESTORER = 0x04000000;
constexpr size_t THREADS = 64;

// The kernel's struct sigaction: rt_sigaction in kernel/signal.c.
struct Action {
  SignalHandler handler;
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

struct {
  bool is_locked;
  uint32_t entered;  // threads
  Action ours;
  Action earlier;
  // The threads that have entered. A thread changes its own place only.
  struct {
    uintptr_t thread;
    WitnessWindow* window;
  } places[THREADS];
} process;

void lock() {
  while (__atomic_test_and_set(&process.is_locked, __ATOMIC_ACQUIRE)) system_call(__NR_sched_yield);
}

void unlock() { __atomic_clear(&process.is_locked, __ATOMIC_RELEASE); }

intptr_t set_action(const Action* action, Action* previous) {
  return system_call(__NR_rt_sigaction, SIGSYS, address_of(action), address_of(previous), sizeof(action->mask));
}

bool is_default(const Action& action) { return action.handler == nullptr; }

bool is_ignored(const Action& action) {
  return reinterpret_cast<intptr_t>(action.handler) == reinterpret_cast<intptr_t>(SIG_IGN);
}

// Takes a place for this thread. Returns false if there is none.
bool take_place(WitnessWindow* window) {
  for (auto& place : process.places)
    if (place.thread == 0) {
      place.window = window;
      __atomic_store_n(&place.thread, thread_pointer(), __ATOMIC_RELEASE);
      return true;
    }
  return false;
}

// Installs the handler if it is not there. Returns false if the process has one of its own.
bool install(SignalHandler handler) {
  Action current;
  if (process.entered > 0) {
    set_action(nullptr, &current);
    return current.handler == handler;
  }
  // SA_NODEFER: a signal handler that interrupts ours may make system calls, too. Not SA_ONSTACK: the program could not
  // change its alternate stack from there.
  process.ours = {handler, SA_SIGINFO | SA_NODEFER | RESTORER, return_from_signal, 0};
  set_action(&process.ours, &current);
  if (!is_default(current) && !is_ignored(current)) {
    set_action(&current, nullptr);
    return false;
  }
  process.earlier = current;
  return true;
}

void uninstall() {
  if (process.entered > 0) return;
  Action current;
  set_action(&process.earlier, &current);
  // Another thread has installed a handler meanwhile: it stays.
  if (current.handler != process.ours.handler) set_action(&current, nullptr);
}

}  // namespace

WitnessRefusal sigsys_enter(WitnessWindow* window, SignalHandler handler) {
  WitnessRefusal refusal = {};
  lock();
  if (!install(handler)) {
    refusal = {"sigaction", -EBUSY};
  } else if (!take_place(window)) {
    refusal = {"threads", -EBUSY};
    uninstall();
  } else {
    process.entered++;
  }
  unlock();
  return refusal;
}

void sigsys_leave(WitnessWindow* window) {
  lock();
  for (auto& place : process.places)
    if (place.window == window) {
      __atomic_store_n(&place.thread, 0, __ATOMIC_RELEASE);
      place.window = nullptr;
    }
  process.entered--;
  uninstall();
  unlock();
}

WitnessWindow* sigsys_window() {
  const uintptr_t thread = thread_pointer();
  for (auto& place : process.places)
    if (__atomic_load_n(&place.thread, __ATOMIC_ACQUIRE) == thread) return place.window;
  return nullptr;
}

void sigsys_pass_on(int signal, siginfo_t* info, void* context) {
  const Action earlier = process.earlier;
  // A seccomp filter's SIGSYS cannot be ignored: seccomp(2), "SECCOMP_RET_TRAP".
  const bool is_from_kernel = info->si_code > 0;
  if (is_ignored(earlier) && !is_from_kernel) return;
  if (!is_ignored(earlier) && !is_default(earlier)) {
    const uint64_t own = earlier.flags & SA_NODEFER ? 0 : uint64_t{1} << (signal - 1);
    const uint64_t blocked = earlier.mask | own;
    system_call(__NR_rt_sigprocmask, SIG_BLOCK, address_of(&blocked), 0, sizeof(blocked));
    earlier.handler(signal, info, context);
    return;
  }
  const Action by_default = {};
  set_action(&by_default, nullptr);
  sigsys_send(signal, info);
}

void sigsys_send(int signal, const siginfo_t* info) {
  const intptr_t pid = system_call(__NR_getpid);
  const intptr_t thread = system_call(__NR_gettid);
  // The first one keeps the signal's cause. A seccomp filter may refuse it.
  if (system_call(__NR_rt_tgsigqueueinfo, pid, thread, signal, address_of(info)) < 0)
    system_call(__NR_tgkill, pid, thread, signal);
}

void sigsys_give_up() {
  lock();
  if (process.entered == 1) set_action(&process.earlier, nullptr);
  unlock();
}

void sigsys_reinstall(uint64_t action, uint64_t previous) {
  lock();
  const Action earlier = process.earlier;
  if (action != 0) set_action(&process.ours, &process.earlier);
  // The kernel has just written to this address.
  if (previous != 0) memcpy(reinterpret_cast<void*>(previous), &earlier, sizeof(earlier));
  unlock();
}

// The witness on Linux: Syscall User Dispatch, which Linux has since 5.11.
// https://docs.kernel.org/admin-guide/syscall-user-dispatch.html
//
// While the byte `selector` says BLOCK, the kernel does not make this thread's system calls. It sends SIGSYS instead,
// with the number of the call. Our handler makes the call itself, keeps what it saw, and returns the result.
//
// - Signals reach the thread only while the handler makes a call. The thread then has its own signal mask, and the
//   selector says ALLOW, so a handler of the process runs as it does without a witness, and a call is interrupted,
//   restarted or stopped as it is without one. At all other times the signals are blocked: a handler that blocks SIGSYS
//   too, as those of Node do, would be killed at its first system call.
// - Signals of a fault, such as SIGSEGV, come at any time. WebAssembly uses them. A system call of their handlers is
//   listed like any other. When they return, the call rt_sigreturn is redirected to our own. Their handlers must not
//   block SIGSYS, for the same reason.
// - clone(2) and its like cannot be made by the handler: the child would go on inside it. From there on the thread runs
//   without a witness.
// - The handler runs inside any code, so it calls nothing of libc but memcpy, and it finds its state without
//   thread-local variables, whose memory is allocated at the first use.
#include "witness.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "dispatch.h"
#include "sigsys.h"
#include "syscall.h"

struct WitnessWindow {
  volatile char selector;
  bool is_armed;
  // The rest of the calls is not seen. The thread has its own signal mask again.
  bool is_released;
  // The program itself changed this thread's dispatch, which must stay as it is now.
  bool is_taken;
  // Dispatch could not be switched off. The kernel reads `selector` as long as the thread lives.
  bool is_stuck;
  // The calls that the handler is making: above 1 if a signal handler interrupted the first one.
  uint32_t depth;
  uint32_t limit;
  uint32_t count;
  uint64_t dropped;
  // The signal mask that the thread has without a witness.
  uint64_t mask;
  WitnessedCall calls[WITNESS_CALLS];
  unsigned char previews[WITNESS_CALLS][WITNESS_PREVIEW];
};

namespace {

// include/uapi/linux/prctl.h and include/uapi/linux/audit.h in the kernel's source, and SYS_USER_DISPATCH of
// include/uapi/asm-generic/siginfo.h: older headers do not have them.
constexpr int PR_SET_SYSCALL_USER_DISPATCH = 59;
constexpr int PR_SYS_DISPATCH_OFF = 0;
constexpr int PR_SYS_DISPATCH_ON = 1;
constexpr char ALLOW = 0;
constexpr char BLOCK = 1;
constexpr int USER_DISPATCH = 2;
constexpr unsigned AUDIT_ARCH_I386 = 0x40000003;

constexpr uint64_t bit(int signal) { return uint64_t{1} << (signal - 1); }

// The signals of a fault cannot wait. SIGSYS is the witness's own.
constexpr uint64_t ALL_SIGNALS =
    ~(bit(SIGSEGV) | bit(SIGBUS) | bit(SIGFPE) | bit(SIGILL) | bit(SIGTRAP) | bit(SIGSYS));

void set_mask(uint64_t mask, uint64_t* previous) {
  system_call(__NR_rt_sigprocmask, SIG_SETMASK, address_of(&mask), address_of(previous), sizeof(mask));
}

// --- In the handler ---------------------------------------------------------------------------------------

bool is_one_of(uint64_t number, const int* numbers) {
  while (*numbers >= 0 && static_cast<uint64_t>(*numbers) != number) numbers++;
  return *numbers >= 0;
}

// The numbers of i386: arch/x86/entry/syscalls/syscall_32.tbl in the kernel's source.
// Calls that only the original instruction can make: clone, clone3, fork, vfork; of i386 also sigreturn, rt_sigreturn.
constexpr int FOR_ITSELF_64[] = {__NR_clone, 435, __NR_fork, __NR_vfork, -1};
constexpr int FOR_ITSELF_32[] = {120, 435, 2, 190, 119, 173, -1};
// Calls whose second argument is the address of bytes to write, and whose result counts them: write, pwrite64, sendto.
constexpr int WRITES_64[] = {__NR_write, __NR_pwrite64, __NR_sendto, -1};
constexpr int WRITES_32[] = {4, 181, 369, -1};

// Tells whether all bytes of a write can be read. A write to /dev/null succeeds with any address, and a tracer may
// change a result. rt_sigprocmask copies 8 bytes from the address before it refuses `how`: kernel/signal.c.
bool is_readable(uint64_t bytes, size_t size) {
  constexpr intptr_t NO_HOW = -1;
  const uint64_t ends[] = {bytes, bytes + size - 1};  // a preview is shorter than a page
  for (const uint64_t end : ends)
    if (system_call(__NR_rt_sigprocmask, NO_HOW, end & ~uint64_t{7}, 0, sizeof(uint64_t)) != -EINVAL) return false;
  return true;
}

// Returns the smallest of the three.
size_t least(uint64_t a, uint64_t b, uint64_t c) { return a < b ? (a < c ? a : c) : (b < c ? b : c); }

// Keeps a call. The bytes of a write are read only after it succeeded: the address of one that failed may be invalid.
void keep(WitnessWindow* window, const WitnessedCall& call) {
  if (window->count >= window->limit) {
    window->dropped++;
    return;
  }
  WitnessedCall* kept = &window->calls[window->count];
  *kept = call;
  kept->preview_size = -1;
  if (call.has_result && call.result >= 0 && is_one_of(call.number, call.is_32bit ? WRITES_32 : WRITES_64)) {
    const uint64_t bytes = call.is_32bit ? static_cast<uint32_t>(call.arguments[1]) : call.arguments[1];
    const uint64_t requested = call.is_32bit ? static_cast<uint32_t>(call.arguments[2]) : call.arguments[2];
    const size_t size = least(static_cast<uint64_t>(call.result), requested, WITNESS_PREVIEW);
    if (size == 0 || is_readable(bytes, size)) {
      memcpy(window->previews[window->count], reinterpret_cast<void*>(bytes), size);
      kept->preview_size = static_cast<int64_t>(size);
    }
  }
  window->count++;
}

// Makes up for calls that have another effect when a signal handler makes them.
void repair(WitnessWindow* window, const WitnessedCall& call, ucontext_t* context) {
  if (call.is_32bit || call.result != 0) return;
  // When the handler returns, the kernel sets the alternate signal stack to that of the context.
  if (call.number == __NR_sigaltstack) system_call(__NR_sigaltstack, 0, address_of(&context->uc_stack));
  if (call.number == __NR_rt_sigaction && static_cast<int>(call.arguments[0]) == SIGSYS)
    sigsys_reinstall(call.arguments[1], call.arguments[2]);
  if (call.number == __NR_prctl && call.arguments[0] == PR_SET_SYSCALL_USER_DISPATCH) {
    window->is_taken = window->is_released = true;
    sigsys_give_up();
  }
}

// Makes or redirects one dispatched call.
void handle(WitnessWindow* window, const siginfo_t* info, ucontext_t* context) {
  WitnessedCall call = {};
  call.is_32bit = info->si_arch == AUDIT_ARCH_I386;
  call.number = static_cast<uint64_t>(info->si_syscall);
  read_arguments(context, call.is_32bit, call.arguments);
  call.address = instruction_before(info->si_call_addr);

  if (!call.is_32bit && call.number == __NR_rt_sigreturn) {
    keep(window, call);
    redirect_to_return(context);
    return;
  }
  if (is_one_of(call.number, call.is_32bit ? FOR_ITSELF_32 : FOR_ITSELF_64)) {
    keep(window, call);
    make_again(context, static_cast<intptr_t>(call.number));
    window->is_released = true;
    return;
  }
  const uint64_t* const of = call.arguments;
  window->depth++;
  set_mask(window->mask, nullptr);
  call.result = call.is_32bit ? system_call_32(call.number, of)
                              : system_call(call.number, of[0], of[1], of[2], of[3], of[4], of[5]);
  set_mask(ALL_SIGNALS, &window->mask);  // the call may have changed the mask
  window->depth--;
  call.has_result = 1;
  set_result(context, call.result);
  keep(window, call);
  repair(window, call, context);
}

// Does with a SIGSYS of another cause what would have happened to it. If the thread has blocked the signal, it waits
// again, and the rest of the calls is not seen: the witness cannot block it.
void on_other(WitnessWindow* window, int signal, siginfo_t* info, void* context) {
  const bool is_sent = info->si_code <= 0;
  if (!is_sent || (window->mask & bit(signal)) == 0) {
    sigsys_pass_on(signal, info, context);
    return;
  }
  window->is_released = true;
  set_mask(window->mask, nullptr);
  sigsys_send(signal, info);
}

// No sanitizer here: before the selector says ALLOW, their runtime must not make a system call.
__attribute__((no_sanitize("address", "undefined"))) void on_sigsys(int signal, siginfo_t* info, void* context) {
  WitnessWindow* const window = sigsys_window();
  if (window == nullptr || window->is_released) {
    sigsys_pass_on(signal, info, context);
    return;
  }
  const char selector = window->selector;
  window->selector = ALLOW;
  // Anyone may send SIGSYS, and a seccomp filter does: look at its cause.
  if (info->si_code == USER_DISPATCH) {
    handle(window, info, static_cast<ucontext_t*>(context));
  } else {
    on_other(window, signal, info, context);
  }
  if (window->is_released) {
    // The thread goes on without a witness.
    memcpy(&static_cast<ucontext_t*>(context)->uc_sigmask, &window->mask, sizeof(window->mask));
  } else {
    window->selector = selector;
  }
}

// --- Around the window ------------------------------------------------------------------------------------

intptr_t dispatch(int mode, WitnessWindow* window) {
  const intptr_t begin = mode == PR_SYS_DISPATCH_ON ? address_of(dispatch_free_begin) : 0;
  const intptr_t size = mode == PR_SYS_DISPATCH_ON ? dispatch_free_end - dispatch_free_begin : 0;
  return system_call(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, mode, begin, size,
                     mode == PR_SYS_DISPATCH_ON ? address_of(&window->selector) : 0);
}

}  // namespace

WitnessRefusal witness_arm(Witness* witness, uint32_t limit) {
  if (witness->window == nullptr) {
    if (is_under_valgrind()) return {"valgrind", -ENOSYS};
    const intptr_t memory = system_call(__NR_mmap, 0, sizeof(WitnessWindow), PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory < 0 && memory >= -4095) return {"mmap", memory};
    witness->window = reinterpret_cast<WitnessWindow*>(memory);
  }
  WitnessWindow* const window = witness->window;
  if (window->is_armed) return {"witness", -EBUSY};
  uint64_t waiting = 0;
  system_call(__NR_rt_sigpending, address_of(&waiting), sizeof(waiting));
  if ((waiting & bit(SIGSYS)) != 0) return {"rt_sigpending", -EBUSY};
  window->is_released = window->is_taken = false;
  window->depth = window->count = 0;
  window->dropped = 0;
  window->limit = limit < WITNESS_CALLS ? limit : WITNESS_CALLS;

  set_mask(ALL_SIGNALS, &window->mask);
  WitnessRefusal refusal = sigsys_enter(window, on_sigsys);
  if (refusal.call == nullptr) {
    const intptr_t result = dispatch(PR_SYS_DISPATCH_ON, window);
    if (result < 0) {
      sigsys_leave(window);
      refusal = {"prctl", result};
    }
  }
  if (refusal.call != nullptr) {
    set_mask(window->mask, nullptr);
    return refusal;
  }
  window->is_armed = true;
  window->selector = BLOCK;
  return {};
}

WitnessReport witness_disarm(Witness* witness) {
  WitnessWindow* const window = witness->window;
  window->selector = ALLOW;
  // A seccomp filter that was installed meanwhile may forbid it.
  window->is_stuck = !window->is_taken && dispatch(PR_SYS_DISPATCH_OFF, window) < 0;
  sigsys_leave(window);
  window->is_armed = false;
  // The depth is above 0 if a signal handler left our handler by longjmp(3). The thread then has its own mask.
  const bool complete = !window->is_released && window->depth == 0;
  if (complete) set_mask(window->mask, nullptr);
  return {window->calls, window->previews, window->count, window->dropped, complete};
}

WitnessRefusal witness_probe(Witness* witness) {
  const WitnessRefusal refusal = witness_arm(witness, 1);
  if (refusal.call != nullptr) return refusal;
  const intptr_t parent = system_call(__NR_getppid);
  const WitnessReport report = witness_disarm(witness);
  const bool is_seen = report.count == 1 && report.calls[0].number == __NR_getppid && report.calls[0].result == parent;
  return is_seen ? WitnessRefusal{} : WitnessRefusal{"getppid", -ENOSYS};
}

void witness_close(Witness* witness) {
  if (witness->window == nullptr) return;
  if (witness->window->is_armed) witness_disarm(witness);
  if (witness->window->is_stuck) return;
  system_call(__NR_munmap, address_of(witness->window), sizeof(WitnessWindow));
  witness->window = nullptr;
}

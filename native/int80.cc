// write(2) on Linux, x86-64, by the software interrupt that 32-bit programs use.
//
//   number     eax = 4 (__NR_write of i386)
//   arguments  ebx = fd, ecx = bytes, edx = count
//   enter      int $0x80
//   result     eax = bytes written, or -errno (-4095..-1)
//   clobbered  r8, r9, r10, r11 (zeroed before Linux 4.17), memory
//
// Sources: syscall(2), "Architecture calling conventions"; the number: arch/x86/entry/syscalls/syscall_32.tbl in the
// kernel's source; do_int80_emulation in arch/x86/entry/syscall_32.c there: the kernel takes the lower half of each
// register. r8 to r11: commit 8bb2610bc496 ("x86/entry/64/compat: Preserve r8-r11 in int $0x80").
//
// Half a register can only name memory below 4 GiB, and JavaScript's memory lies above. So the bytes are copied to a
// buffer below 4 GiB first. Bytes that lie there already are not copied: the kernel gets their own address.
#include "int80.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "syscall.h"

extern "C" {
__attribute__((visibility("hidden"))) extern const unsigned char int80_code_begin[];
__attribute__((visibility("hidden"))) extern const unsigned char int80_code_end[];
}

namespace {

// The size of the buffer that is mapped once and kept. A longer message gets a mapping for one call.
constexpr size_t BUFFER_SIZE = size_t{1} << 20;
constexpr size_t FOUR_GIB = size_t{1} << 32;
// The kernel writes at most this many bytes per call, and reads no byte beyond: MAX_RW_COUNT in include/linux/fs.h.
constexpr size_t MAX_RW_COUNT = 0x7ffff000;

// noinline: the labels must exist only once, and int80_code() must return the code that runs.
__attribute__((noinline)) int32_t interrupt(int fd, uint32_t bytes, uint32_t count) {
  int32_t result;
  // Load the number inside the statement, so that it is part of the code that is read back.
  __asm__ volatile(
      ".globl int80_code_begin, int80_code_end\n"
      ".hidden int80_code_begin, int80_code_end\n"
      "int80_code_begin:\n\t"
      "movl $4, %%eax\n\t"
      "int $0x80\n"
      "int80_code_end:"
      : "=&a"(result)
      : "b"(fd), "c"(bytes), "d"(count)
      : "r8", "r9", "r10", "r11", "memory");
  // The result is 32 bits wide and signed: the upper half of rax does not count.
  return result;
}

// Maps memory below 4 GiB. Returns its address, or -errno.
intptr_t map_low(size_t size) {
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  const intptr_t address = system_call(__NR_mmap, 0, size, PROT_READ | PROT_WRITE, flags | MAP_32BIT, -1, 0);
  if (address != -ENOMEM) return address;
  // MAP_32BIT searches from 1 to 2 GiB only (mmap(2)). From 2 to 4 GiB there is room for the longest write.
  const intptr_t hint = system_call(__NR_mmap, FOUR_GIB / 2, size, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (hint < 0 || hint + size <= FOUR_GIB) return hint;
  system_call(__NR_munmap, hint, size);
  return -ENOMEM;
}

// Copies into memory that is still all zeros. Pages of zeros are skipped, so that the copy of a sparse message of one
// gigabyte does not use a gigabyte of memory.
void copy_sparse(char* to, const char* from, size_t size) {
  constexpr size_t PAGE = 4096;
  static const char zeros[PAGE] = {};
  for (size_t at = 0; at < size; at += PAGE) {
    const size_t part = size - at < PAGE ? size - at : PAGE;
    if (memcmp(from + at, zeros, part) != 0) memcpy(to + at, from + at, part);
  }
}

// Resets a signal's handler, so that the signal ends the process.
void set_default(int signal) {
  // The kernel's struct sigaction: handler, flags, restorer, mask. SIG_DFL is 0.
  const uint64_t default_action[4] = {};
  system_call(__NR_rt_sigaction, signal, address_of(default_action), 0, sizeof(uint64_t));
}

constexpr uint64_t bit(int signal) { return uint64_t{1} << (signal - 1); }

// Runs the probe in the child process, and exits with its errno. Do not call libc here: the child has only one thread
// of a process with many, so a lock of libc may stay taken for ever (fork(2)).
[[noreturn]] void run_child() {
  // Prevent a core file of Node's memory, and a crash reporter (PR_SET_DUMPABLE(2const)).
  system_call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  // Node's handlers must not run here. SIGALRM ends the child if a seccomp supervisor never answers the interrupt.
  constexpr int deadly[] = {SIGSEGV, SIGSYS, SIGALRM};
  uint64_t blocked = ~uint64_t{0};
  for (const int signal : deadly) {
    set_default(signal);
    blocked &= ~bit(signal);
  }
  system_call(__NR_alarm, 5);
  system_call(__NR_rt_sigprocmask, SIG_SETMASK, address_of(&blocked), 0, sizeof(blocked));
  // Try write itself, on an invalid descriptor: a seccomp filter may allow other 32-bit calls and refuse this one.
  const int32_t result = interrupt(-1, 0, 0);
  for (;;) system_call(__NR_exit_group, result < 0 && result >= -255 ? -result : 0);
}

}  // namespace

intptr_t int80_write(Int80* state, int fd, const void* bytes, size_t count) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(bytes);
  const size_t asked = count < FOUR_GIB ? count : FOUR_GIB - 1;
  if (address < FOUR_GIB && asked <= FOUR_GIB - address) return interrupt(fd, address, asked);

  const size_t size = asked < MAX_RW_COUNT ? asked : MAX_RW_COUNT;
  if (state->low == nullptr) {
    const intptr_t buffer = map_low(BUFFER_SIZE);
    if (buffer < 0) return buffer;
    state->low = reinterpret_cast<void*>(buffer);
  }
  if (size <= BUFFER_SIZE) {
    memcpy(state->low, bytes, size);
    return interrupt(fd, static_cast<uint32_t>(address_of(state->low)), asked);
  }
  const intptr_t low = map_low(size);
  if (low < 0) return low;
  copy_sparse(reinterpret_cast<char*>(low), static_cast<const char*>(bytes), size);
  const intptr_t result = interrupt(fd, low, asked);
  system_call(__NR_munmap, low, size);
  return result;
}

void int80_close(Int80* state) {
  if (state->low != nullptr) system_call(__NR_munmap, address_of(state->low), BUFFER_SIZE);
  state->low = nullptr;
}

Int80Probe int80_probe() {
  // Block all signals, so that none runs a handler of Node's in the child.
  const uint64_t every_signal = ~uint64_t{0};
  uint64_t mask_before = 0;
  system_call(__NR_rt_sigprocmask, SIG_SETMASK, address_of(&every_signal), address_of(&mask_before),
              sizeof(every_signal));
  // The flags are 0. CLONE_VM would be dangerous: before Linux 5.16, a core dump killed every process that shared the
  // memory. An exit signal would be visible: without one, no SIGCHLD arrives, and a wait(2) elsewhere in the process
  // does not take the child's status (__WALL in wait(2)).
  const intptr_t pid = system_call(__NR_clone, 0, 0, 0, 0, 0);
  if (pid == 0) run_child();
  int status = 0;
  intptr_t waited = 0;
  if (pid > 0) {
    do waited = system_call(__NR_wait4, pid, address_of(&status), __WALL, 0);
    while (waited == -EINTR);
  }
  system_call(__NR_rt_sigprocmask, SIG_SETMASK, address_of(&mask_before), 0, sizeof(mask_before));
  if (pid < 0) return {"clone", pid, 0};
  if (waited < 0) return {"wait4", waited, 0};
  if (WIFSIGNALED(status)) return {"int80", 0, WTERMSIG(status)};
  return {"int80", -static_cast<intptr_t>(WEXITSTATUS(status)), 0};
}

MachineCode int80_code() { return {int80_code_begin, static_cast<size_t>(int80_code_end - int80_code_begin)}; }

// io_uring_enter(2), and any other system call, on Linux, x86-64.
//
//   number     rax = 426 (__NR_io_uring_enter)
//   arguments  rdi = ring, rsi = entries to submit, rdx = completions to wait for, r10 = flags, r8 = 0, r9 = 0
//   enter      syscall
//   result     rax = entries submitted, or -errno (-4095..-1)
//   clobbered  rcx (return address), r11 (saved rflags), memory
//
// Sources: syscall(2), "Architecture calling conventions"; io_uring_enter(2); the number:
// arch/x86/entry/syscalls/syscall_64.tbl in the kernel's source.
#include "../syscall.h"

extern "C" {
__attribute__((visibility("hidden"))) extern const unsigned char uring_code_begin[];
__attribute__((visibility("hidden"))) extern const unsigned char uring_code_end[];
}

// noinline: the labels must exist only once, and uring_enter_code() must return the code that runs.
__attribute__((noinline)) intptr_t uring_enter(int ring, unsigned submit, unsigned complete, unsigned flags) {
  intptr_t result;
  register intptr_t r10 __asm__("r10") = flags;
  register intptr_t r8 __asm__("r8") = 0;
  register intptr_t r9 __asm__("r9") = 0;
  // Load the number inside the statement, so that it is part of the code that is read back.
  __asm__ volatile(
      ".globl uring_code_begin, uring_code_end\n"
      ".hidden uring_code_begin, uring_code_end\n"
      "uring_code_begin:\n\t"
      "movl $426, %%eax\n\t"
      "syscall\n"
      "uring_code_end:"
      : "=&a"(result)
      : "D"(static_cast<intptr_t>(ring)), "S"(static_cast<intptr_t>(submit)), "d"(static_cast<intptr_t>(complete)),
        "r"(r10), "r"(r8), "r"(r9)
      : "rcx", "r11", "memory");
  return result;
}

MachineCode uring_enter_code() { return {uring_code_begin, static_cast<size_t>(uring_code_end - uring_code_begin)}; }

intptr_t system_call(intptr_t number, intptr_t a, intptr_t b, intptr_t c, intptr_t d, intptr_t e, intptr_t f) {
  intptr_t result = number;
  register intptr_t r10 __asm__("r10") = d;
  register intptr_t r8 __asm__("r8") = e;
  register intptr_t r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

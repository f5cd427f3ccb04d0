// io_uring_enter(2), and any other system call, on Linux, arm64.
//
//   number     x8 = 426 (__NR_io_uring_enter)
//   arguments  x0 = ring, x1 = entries to submit, x2 = completions to wait for, x3 = flags, x4 = 0, x5 = 0
//   enter      svc #0
//   result     x0 = entries submitted, or -errno (-4095..-1)
//   clobbered  memory; every general register but x0 is kept
//
// Sources: syscall(2), "Architecture calling conventions"; io_uring_enter(2); the number:
// include/uapi/asm-generic/unistd.h in the kernel's source.
#include "../syscall.h"

extern "C" {
__attribute__((visibility("hidden"))) extern const unsigned char uring_code_begin[];
__attribute__((visibility("hidden"))) extern const unsigned char uring_code_end[];
}

// noinline: the labels must exist only once, and uring_enter_code() must return the code that runs.
__attribute__((noinline)) intptr_t uring_enter(int ring, unsigned submit, unsigned complete, unsigned flags) {
  register intptr_t x0 __asm__("x0") = ring;
  register intptr_t x1 __asm__("x1") = submit;
  register intptr_t x2 __asm__("x2") = complete;
  register intptr_t x3 __asm__("x3") = flags;
  register intptr_t x4 __asm__("x4") = 0;
  register intptr_t x5 __asm__("x5") = 0;
  // Load the number inside the statement, so that it is part of the code that is read back.
  __asm__ volatile(
      ".globl uring_code_begin, uring_code_end\n"
      ".hidden uring_code_begin, uring_code_end\n"
      "uring_code_begin:\n\t"
      "mov x8, #426\n\t"
      "svc #0\n"
      "uring_code_end:"
      : "+r"(x0)
      : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
      : "x8", "memory");
  return x0;
}

MachineCode uring_enter_code() { return {uring_code_begin, static_cast<size_t>(uring_code_end - uring_code_begin)}; }

intptr_t system_call(intptr_t number, intptr_t a, intptr_t b, intptr_t c, intptr_t d, intptr_t e, intptr_t f) {
  register intptr_t x8 __asm__("x8") = number;
  register intptr_t x0 __asm__("x0") = a;
  register intptr_t x1 __asm__("x1") = b;
  register intptr_t x2 __asm__("x2") = c;
  register intptr_t x3 __asm__("x3") = d;
  register intptr_t x4 __asm__("x4") = e;
  register intptr_t x5 __asm__("x5") = f;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}

// write(2) on Linux, arm64.
//
//   number     x8 = 64 (__NR_write)
//   arguments  x0 = fd, x1 = bytes, x2 = count
//   enter      svc #0
//   result     x0 = bytes written, or -errno (-4095..-1)
//   clobbered  memory; every general register but x0 is kept
//
// Sources: syscall(2), "Architecture calling conventions"; the number:
// include/uapi/asm-generic/unistd.h in the kernel's source.
#include "../raw.h"

extern "C" {
__attribute__((visibility("hidden"))) extern const unsigned char raw_code_begin[];
__attribute__((visibility("hidden"))) extern const unsigned char raw_code_end[];
}

// noinline: the labels must exist only once, and raw_code() must return the code that runs.
__attribute__((noinline)) intptr_t raw_write(int fd, const void* bytes, size_t count) {
  register intptr_t x0 __asm__("x0") = fd;
  register const void* x1 __asm__("x1") = bytes;
  register size_t x2 __asm__("x2") = count;
  // Load the number inside the statement, so that it is part of the code that is read back.
  __asm__ volatile(
      ".globl raw_code_begin, raw_code_end\n"
      ".hidden raw_code_begin, raw_code_end\n"
      "raw_code_begin:\n\t"
      "mov x8, #64\n\t"
      "svc #0\n"
      "raw_code_end:"
      : "+r"(x0)
      : "r"(x1), "r"(x2)
      : "x8", "memory");
  return x0;
}

MachineCode raw_code() {
  return {raw_code_begin, static_cast<size_t>(raw_code_end - raw_code_begin)};
}

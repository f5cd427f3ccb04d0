// write(2) on macOS, arm64.
//
//   number     x16 = 4 (SYS_write)
//   arguments  x0 = fd, x1 = bytes, x2 = count
//   enter      svc #0x80
//   result     x0 = bytes written, carry flag clear; or errno, carry flag set
//   clobbered  x1 (the second return value), flags, memory
//
// Sources in XNU: bsd/kern/syscalls.master (the number), bsd/dev/arm/systemcalls.c,
// arm_prepare_u64_syscall_return (carry, x1); libsyscall/custom/SYS.h (x16, svc #0x80).
#include "../raw.h"

extern "C" {
__attribute__((visibility("hidden"))) extern const unsigned char raw_code_begin[] __asm__("raw_code_begin");
__attribute__((visibility("hidden"))) extern const unsigned char raw_code_end[] __asm__("raw_code_end");
}

// noinline: the labels must exist only once, and raw_code() must return the code that runs.
__attribute__((noinline)) intptr_t raw_write(int fd, const void* bytes, size_t count) {
  register intptr_t x0 __asm__("x0") = fd;
  register const void* x1 __asm__("x1") = bytes;
  register size_t x2 __asm__("x2") = count;
  // .alt_entry: without it, the linker takes each label for the start of another function.
  __asm__ volatile(
      ".private_extern raw_code_begin\n"
      ".private_extern raw_code_end\n"
      ".alt_entry raw_code_begin\n"
      ".alt_entry raw_code_end\n"
      "raw_code_begin:\n\t"
      "mov x16, #4\n\t"
      "svc #0x80\n\t"
      "b.cc 1f\n\t"
      "neg x0, x0\n"
      "1:\n"
      "raw_code_end:"
      : "+r"(x0), "+r"(x1)
      : "r"(x2)
      : "x16", "cc", "memory");
  return x0;
}

MachineCode raw_code() {
  return {raw_code_begin, static_cast<size_t>(raw_code_end - raw_code_begin)};
}

// write(2) on macOS, x86-64.
//
//   number     rax = 0x2000004 (class 2, Unix; SYS_write 4)
//   arguments  rdi = fd, rsi = bytes, rdx = count
//   enter      syscall
//   result     rax = bytes written, carry flag clear; or errno, carry flag set
//   clobbered  rcx, r11, rdx (the second return value), flags, memory
//
// Sources in XNU: osfmk/mach/i386/syscall_sw.h (classes), bsd/kern/syscalls.master (the number),
// bsd/dev/i386/systemcalls.c, unix_syscall64 (carry, rdx).
#include "../raw.h"

extern "C" {
__attribute__((visibility("hidden"))) extern const unsigned char raw_code_begin[] __asm__("raw_code_begin");
__attribute__((visibility("hidden"))) extern const unsigned char raw_code_end[] __asm__("raw_code_end");
}

// noinline: the labels must exist only once, and raw_code() must return the code that runs.
__attribute__((noinline)) intptr_t raw_write(int fd, const void* bytes, size_t count) {
  intptr_t result;
  // .alt_entry: without it, the linker takes each label for the start of another function.
  __asm__ volatile(
      ".private_extern raw_code_begin\n"
      ".private_extern raw_code_end\n"
      ".alt_entry raw_code_begin\n"
      ".alt_entry raw_code_end\n"
      "raw_code_begin:\n\t"
      "movl $0x2000004, %%eax\n\t"
      "syscall\n\t"
      "jae 1f\n\t"
      "negq %%rax\n"
      "1:\n"
      "raw_code_end:"
      : "=&a"(result), "+d"(count)
      : "D"(static_cast<intptr_t>(fd)), "S"(bytes)
      : "rcx", "r11", "cc", "memory");
  return result;
}

MachineCode raw_code() {
  return {raw_code_begin, static_cast<size_t>(raw_code_end - raw_code_begin)};
}

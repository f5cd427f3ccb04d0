// write(2) on Linux, x86-64.
//
//   number     rax = 1 (__NR_write)
//   arguments  rdi = fd, rsi = bytes, rdx = count
//   enter      syscall
//   result     rax = bytes written, or -errno (-4095..-1)
//   clobbered  rcx (return address), r11 (saved rflags), memory
//
// Sources: syscall(2), "Architecture calling conventions"; System V AMD64 ABI, appendix A.2.1;
// the number: arch/x86/entry/syscalls/syscall_64.tbl in the kernel's source.
#include "../raw.h"

extern "C" {
__attribute__((visibility("hidden"))) extern const unsigned char raw_code_begin[];
__attribute__((visibility("hidden"))) extern const unsigned char raw_code_end[];
}

// noinline: the labels must exist only once, and raw_code() must return the code that runs.
__attribute__((noinline)) intptr_t raw_write(int fd, const void* bytes, size_t count) {
  intptr_t result;
  // Load the number inside the statement, so that it is part of the code that is read back.
  __asm__ volatile(
      ".globl raw_code_begin, raw_code_end\n"
      ".hidden raw_code_begin, raw_code_end\n"
      "raw_code_begin:\n\t"
      "movl $1, %%eax\n\t"
      "syscall\n"
      "raw_code_end:"
      : "=&a"(result)
      : "D"(static_cast<intptr_t>(fd)), "S"(bytes), "d"(count)
      : "rcx", "r11", "memory");
  return result;
}

MachineCode raw_code() {
  return {raw_code_begin, static_cast<size_t>(raw_code_end - raw_code_begin)};
}

// Maps the second page of a file by mmap2 of the 32-bit ABI, whose sixth argument is the offset in pages.
// https://man7.org/linux/man-pages/man2/mmap2.2.html

// Returns the first byte of that page, or -errno.
int second_page(int fd) {
  long result = 192;  // __NR_mmap2 of i386: arch/x86/entry/syscalls/syscall_32.tbl in the kernel's source
  register long offset __asm__("r12") = 1;
  __asm__ volatile(
      "xchgq %%rbp, %%r12\n\t"
      "int $0x80\n\t"
      "xchgq %%rbp, %%r12"
      : "+a"(result), "+r"(offset)
      : "b"(0L), "c"(4096L), "d"(1L), "S"(2L), "D"((long)fd)
      : "r8", "r9", "r10", "r11", "memory");
  return result < 0 ? (int)result : *(unsigned char *)(result & 0xffffffff);
}

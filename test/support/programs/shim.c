// An LD_PRELOAD library whose write enters the kernel by itself. It leaves out the last byte of "hello".
#include <errno.h>
#include <stddef.h>
#include <string.h>

long write(int fd, const void *bytes, size_t count) {
  long result = 1;
  if (count == 5 && memcmp(bytes, "hello", 5) == 0) count--;
  __asm__ volatile("syscall" : "+a"(result) : "D"((long)fd), "S"(bytes), "d"(count) : "rcx", "r11", "memory");
  if (result >= 0) return result;
  errno = (int)-result;
  return -1;
}

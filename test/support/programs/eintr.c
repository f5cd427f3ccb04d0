// An LD_PRELOAD library that lets every write of the words "never mind" answer EINTR, as a seccomp filter could.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

ssize_t write(int fd, const void *bytes, size_t count) {
  static ssize_t (*next)(int, const void *, size_t);
  static const char words[] = "never mind";
  if (count == sizeof words - 1 && memcmp(bytes, words, count) == 0) {
    errno = EINTR;
    return -1;
  }
  if (!next) next = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  return next(fd, bytes, count);
}

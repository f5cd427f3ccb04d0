// An LD_PRELOAD library that lies about counts: of 16 known bytes it returns COUNT, or one too many; of bytes that
// begin with a tilde it takes one at a time. Of the lines of a record file it returns LINES_MORE bytes
// more than there are; if that is 0, always 0.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t write(int fd, const void *bytes, size_t count) {
  static ssize_t (*next)(int, const void *, size_t);
  static const char words[] = "sixteen bytes ok";
  if (!next) next = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  ssize_t result = next(fd, bytes, count);
  const char *lie = getenv("COUNT");
  if (count == sizeof words - 1 && memcmp(bytes, words, count) == 0) return lie ? strtoll(lie, NULL, 10) : result + 1;
  if (count > 0 && *(const char *)bytes == '~') return 1;
  const char *lines = getenv("LINES_MORE");
  if (lines && count > 8 && memcmp(bytes, "{\"type\":", 8) == 0) return atoi(lines) ? result + atoi(lines) : 0;
  return result;
}

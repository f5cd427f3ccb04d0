// An LD_PRELOAD library that logs the calls of libc's write with a message of the parity table.
//   WITNESS_LOG=file LD_PRELOAD=./witness.so command
// One line per call: the first 64 bytes in hexadecimal, then the file of the caller's code.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static ssize_t (*next)(int, const void *, size_t);

__attribute__((constructor)) static void find_next(void) { next = dlsym(RTLD_NEXT, "write"); }

ssize_t write(int fd, const void *bytes, size_t count) {
  ssize_t result = next(fd, bytes, count);
  // Only messages of the table, which begin with '<'. libuv writes from its signal handlers too, where dladdr must not
  // be called: signal-safety(7).
  if (count == 0 || *(const unsigned char *)bytes != '<') return result;
  int saved = errno;
  Dl_info caller = {0};
  dladdr(__builtin_return_address(0), &caller);
  int log = open(getenv("WITNESS_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0644);
  // dprintf calls libc's internal write, not this function.
  for (size_t i = 0; i < count && i < 64; i++) dprintf(log, "%02x", ((const unsigned char *)bytes)[i]);
  dprintf(log, " %s\n", caller.dli_fname ? caller.dli_fname : "?");
  close(log);
  errno = saved;
  return result;
}

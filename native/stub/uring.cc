// Level `uring` on a platform without io_uring: every write fails with ENOSYS.
#include "../uring.h"

#include "enosys.h"

intptr_t uring_probe(Uring*, const char** call) {
  *call = "io_uring_setup";
  return -NO_SYSTEM_CALL;
}

intptr_t uring_write(Uring*, int, const void*, size_t) { return -NO_SYSTEM_CALL; }

void uring_close(Uring*) {}

MachineCode uring_code() { return {nullptr, 0}; }

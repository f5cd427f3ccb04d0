// The interface between addon.cc and level `int80`: int80.cc on Linux on x86-64, stub/int80.cc on other platforms.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "raw.h"

// The state of one thread. The first write maps the memory.
struct Int80 {
  void* low = nullptr;  // a buffer below 4 GiB
};

// Makes one write(2) by the software interrupt. Returns the bytes written (0 or more), or -errno. Returns -ENOMEM also
// when there is no memory below 4 GiB for a copy of the bytes. Call it only if int80_probe() found that it works.
intptr_t int80_write(Int80* state, int fd, const void* bytes, size_t count);

// Unmaps the memory.
void int80_close(Int80* state);

struct Int80Probe {
  const char* call;  // the call that returned `result`: "clone", "wait4" or "int80"
  intptr_t result;   // the interrupt works if this is -EBADF from "int80": the child writes to descriptor -1
  int signal;        // the signal that killed the child, or 0
};

// Tries the interrupt once, in a child process: without 32-bit emulation, the kernel kills the process that makes it.
Int80Probe int80_probe();

// Returns the machine code of the interrupt as it lies in memory; size 0 on a platform without it.
MachineCode int80_code();

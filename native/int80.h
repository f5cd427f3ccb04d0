// The seam between addon.cc and level `int80`: int80.cc on Linux, x86-64; int80-none.cc elsewhere.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "raw.h"

// What one thread needs for its calls: memory below 4 GiB, mapped at the first one.
struct Int80 {
  void* low = nullptr;
};

// One write(2) by the software interrupt. Returns the bytes written (0 or more), or -errno; -ENOMEM, too, where
// there is no memory below 4 GiB for a copy of the bytes. Only after int80_probe() said that it works.
intptr_t int80_write(Int80* state, int fd, const void* bytes, size_t count);

void int80_close(Int80* state);

// Whether the interrupt works here. It is tried in a child process, since it may kill who does it.
struct Int80Probe {
  const char* call;  // "clone", "wait4", or "int80": whose the result is
  intptr_t result;   // -EBADF of "int80" is what a kernel says to a write to descriptor -1
  int signal;        // what killed the child; 0 when nothing did
};
Int80Probe int80_probe();

// The machine code of the interrupt, as it lies in memory; size 0 where there is none.
MachineCode int80_code();

// The seam between addon.cc and the machine: what every file in arch/ defines.
#pragma once
#include <stddef.h>
#include <stdint.h>

// One write(2) by our own instruction, no libc in between.
// Returns the bytes written (0 or more), or -errno.
intptr_t raw_write(int fd, const void* bytes, size_t count);

// The machine code of that instruction, as it lies in memory; size 0 where there is none.
struct MachineCode {
  const unsigned char* begin;
  size_t size;
};
MachineCode raw_code();

// The interface between addon.cc and level `raw`. Each platform's file in arch/ defines it; stub/raw.cc is for the
// platforms without one.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Makes one write(2) by our own instruction, without libc. Returns the bytes written (0 or more), or -errno.
intptr_t raw_write(int fd, const void* bytes, size_t count);

struct MachineCode {
  const unsigned char* begin;
  size_t size;
};

// Returns the machine code of that instruction as it lies in memory; size 0 on a platform without it.
MachineCode raw_code();

// The seam between addon.cc and level `uring`: uring.cc on Linux; uring-none.cc elsewhere.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "raw.h"

struct UringEntry;
struct UringCompletion;

// A ring of one thread's own, for one write at a time.
struct Uring {
  int fd = -1;
  void* queues = nullptr;
  size_t queues_size = 0;
  UringEntry* entries = nullptr;
  size_t entries_size = 0;
  uint32_t* submitted = nullptr;  // where the kernel stands in the entries
  uint32_t* offered = nullptr;    // how far we filled them
  uint32_t entries_mask = 0;
  uint32_t* reaped = nullptr;  // where we stand in the completions
  uint32_t* completed = nullptr;
  UringCompletion* completions = nullptr;
  uint32_t completions_mask = 0;
  // A bit per descriptor below 256: its last write was not to a file.
  uint32_t no_file[8] = {};
};

// Opens the ring and tries it. Returns 0; or -errno, and which call said so.
intptr_t uring_probe(Uring* ring, const char** call);

// One write(2) as an IORING_OP_WRITE at the descriptor's own offset. Returns the bytes written (0 or more), or -errno.
intptr_t uring_write(Uring* ring, int fd, const void* bytes, size_t count);

void uring_close(Uring* ring);

// The machine code of io_uring_enter(2), as it lies in memory; size 0 where there is none.
MachineCode uring_code();

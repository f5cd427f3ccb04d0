// The interface between addon.cc and level `uring`: uring.cc on Linux, stub/uring.cc on other platforms.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "raw.h"

struct UringEntry;
struct UringCompletion;

// The ring of one thread, for one write at a time. The names of its fields are those of io_uring(7): SQ is the
// submission queue, CQ the completion queue.
struct Uring {
  int fd = -1;
  void* queues = nullptr;
  size_t queues_size = 0;
  UringEntry* entries = nullptr;
  size_t entries_size = 0;
  uint32_t* sq_head = nullptr;  // the next entry that the kernel takes
  uint32_t* sq_tail = nullptr;  // the next entry that we fill
  uint32_t sq_mask = 0;
  uint32_t* cq_head = nullptr;  // the next completion that we read
  uint32_t* cq_tail = nullptr;  // the next completion that the kernel fills
  UringCompletion* completions = nullptr;
  uint32_t cq_mask = 0;
  // One bit per descriptor below 256, set if its last write was not to a file.
  uint32_t not_file[8] = {};
};

// Opens the ring, tries one write and closes it. Returns 0, or -errno and the name of the call that failed.
intptr_t uring_probe(Uring* ring, const char** call);

// Makes one write(2) as an IORING_OP_WRITE at the descriptor's own offset. Returns the bytes written (0 or more), or
// -errno.
intptr_t uring_write(Uring* ring, int fd, const void* bytes, size_t count);

// Closes the ring and unmaps its memory.
void uring_close(Uring* ring);

// Returns the machine code of io_uring_enter(2) as it lies in memory; size 0 on a platform without it.
MachineCode uring_code();

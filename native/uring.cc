// write(2) as an entry in an io_uring, submitted and reaped in one io_uring_enter(2): who watches system calls sees
// no write. https://man7.org/linux/man-pages/man7/io_uring.7.html
//
// An entry that finds no room does not come back with -EAGAIN: the kernel waits for room and tries again, O_NONBLOCK
// or not. So an IORING_OP_ASYNC_CANCEL goes along, which ends a wait before it starts; -ECANCELED is then the
// -EAGAIN. A file, however, is written by a worker of the kernel, which the cancel nearly always overtakes: to a
// regular file or block device the write goes alone.
#include "uring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

// From include/uapi/linux/io_uring.h in the kernel's source. musl has no such header, and older distributions one
// without these.
namespace {
constexpr intptr_t IO_URING_SETUP = 425;  // the same on every architecture
constexpr uint8_t IORING_OP_ASYNC_CANCEL = 14;
constexpr uint8_t IORING_OP_WRITE = 23;
constexpr unsigned IORING_ENTER_GETEVENTS = 1;
constexpr intptr_t IORING_OFF_SQ_RING = 0;
constexpr intptr_t IORING_OFF_SQES = 0x10000000;
// Which completion is whose.
constexpr uint64_t WRITE = 1;
constexpr uint64_t CANCEL = 2;

struct QueueOffsets {
  uint32_t head, tail, ring_mask, ring_entries, flags_or_overflow, dropped_or_cqes, array_or_flags, reserved;
  uint64_t user_address;
};

struct Parameters {
  uint32_t sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features, wq_fd, reserved[3];
  QueueOffsets sq, cq;
};
static_assert(sizeof(Parameters) == 120, "struct io_uring_params");
}  // namespace

struct UringEntry {
  uint8_t opcode, flags;
  uint16_t ioprio;
  int32_t fd;
  uint64_t offset;
  uint64_t address;
  uint32_t length;
  uint32_t opcode_flags;
  uint64_t user_data;
  uint64_t unused[3];
};
static_assert(sizeof(UringEntry) == 64, "struct io_uring_sqe");

struct UringCompletion {
  uint64_t user_data;
  int32_t result;
  uint32_t flags;
};
static_assert(sizeof(UringCompletion) == 16, "struct io_uring_cqe");

namespace {

intptr_t map(int fd, size_t size, intptr_t offset) {
  return system_call(__NR_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
}

// Room for one write and its cancel. Returns 0; or -errno, and which call said so.
intptr_t open_ring(Uring* ring, const char** call) {
  Parameters parameters = {};
  *call = "io_uring_setup";
  const intptr_t fd = system_call(IO_URING_SETUP, 2, address_of(&parameters));  // close-on-exec by itself
  if (fd < 0) return fd;
  ring->fd = static_cast<int>(fd);

  const QueueOffsets& sq = parameters.sq;
  const QueueOffsets& cq = parameters.cq;
  const size_t array_end = sq.array_or_flags + parameters.sq_entries * sizeof(uint32_t);
  const size_t completions_end = cq.dropped_or_cqes + parameters.cq_entries * sizeof(UringCompletion);
  // Both queues are in one mapping since Linux 5.4; IORING_OP_WRITE, without which nothing goes, came in 5.6.
  ring->queues_size = array_end > completions_end ? array_end : completions_end;
  ring->entries_size = parameters.sq_entries * sizeof(UringEntry);
  *call = "mmap";
  const intptr_t queues = map(ring->fd, ring->queues_size, IORING_OFF_SQ_RING);
  if (queues < 0) return queues;
  ring->queues = reinterpret_cast<void*>(queues);
  const intptr_t entries = map(ring->fd, ring->entries_size, IORING_OFF_SQES);
  if (entries < 0) return entries;
  ring->entries = reinterpret_cast<UringEntry*>(entries);

  char* base = static_cast<char*>(ring->queues);
  const auto field = [base](uint32_t offset) { return reinterpret_cast<uint32_t*>(base + offset); };
  ring->submitted = field(sq.head);
  ring->offered = field(sq.tail);
  ring->entries_mask = *field(sq.ring_mask);
  ring->reaped = field(cq.head);
  ring->completed = field(cq.tail);
  ring->completions_mask = *field(cq.ring_mask);
  ring->completions = reinterpret_cast<UringCompletion*>(base + cq.dropped_or_cqes);
  // The queue holds places of entries; ours stay in their order.
  for (uint32_t i = 0; i < parameters.sq_entries; i++) field(sq.array_or_flags)[i] = i;
  return 0;
}

// The kernel reads and moves the counters at the same time: io_uring(7), "Submission queue", on barriers.
uint32_t load(const uint32_t* counter) { return __atomic_load_n(counter, __ATOMIC_ACQUIRE); }
void store(uint32_t* counter, uint32_t value) { __atomic_store_n(counter, value, __ATOMIC_RELEASE); }

// Submits a write, with a cancel behind it or alone, and waits until all that was submitted is complete.
intptr_t submit(Uring* ring, int fd, const void* bytes, size_t count, bool cancel) {
  const uint32_t start = *ring->offered;
  const uint32_t asked = cancel ? 2 : 1;

  UringEntry& write = ring->entries[start & ring->entries_mask];
  write = UringEntry{};
  write.opcode = IORING_OP_WRITE;
  write.fd = fd;
  write.offset = ~uint64_t{0};  // -1: where the descriptor stands
  write.address = address_of(bytes);
  // The kernel cuts it once more, as it does for write(2).
  write.length = count < UINT32_MAX ? static_cast<uint32_t>(count) : UINT32_MAX;
  write.user_data = WRITE;
  if (cancel) {
    UringEntry& end = ring->entries[(start + 1) & ring->entries_mask];
    end = UringEntry{};
    end.opcode = IORING_OP_ASYNC_CANCEL;
    end.fd = -1;
    end.address = WRITE;
    end.user_data = CANCEL;
  }
  store(ring->offered, start + asked);

  intptr_t result = -EAGAIN;
  bool written = false;
  for (uint32_t done = 0;;) {
    const uint32_t left = start + asked - load(ring->submitted);
    const intptr_t entered = uring_enter(ring->fd, left, asked - done, IORING_ENTER_GETEVENTS);
    for (uint32_t head = *ring->reaped; head != load(ring->completed); store(ring->reaped, ++head)) {
      const UringCompletion& completion = ring->completions[head & ring->completions_mask];
      if (completion.user_data == WRITE) {
        result = completion.result;
        written = true;
      }
      done++;
    }
    if (done == asked) return result;

    // What the kernel did not take must not go with the next call: it would be somebody else's bytes.
    const uint32_t taken = load(ring->submitted) - start;
    if (taken == 0 || (written && done == taken)) {
      store(ring->offered, start + taken);
      return taken > 0 ? result : entered < 0 ? entered : -EAGAIN;
    }
    // Interrupted by a signal, or only the write was taken: go on, for the kernel still holds the caller's bytes.
    if (entered >= 0 || entered == -EINTR) continue;
    // It will not let us wait any more, by a new seccomp filter say. Closing the ring cancels what is in it.
    uring_close(ring);
    return entered;
  }
}

bool is_file(int fd) {
  // glibc's and musl's struct stat are the kernel's on the architectures that this is built for.
  struct stat about;
  if (system_call(__NR_fstat, fd, address_of(&about)) < 0) return false;
  return S_ISREG(about.st_mode) || S_ISBLK(about.st_mode);
}

intptr_t write_file(Uring* ring, int fd, const void* bytes, size_t count) {
  const intptr_t before = system_call(__NR_lseek, fd, 0, SEEK_CUR);
  const intptr_t result = submit(ring, fd, bytes, count, false);
  // After a short write the kernel tries the rest, and when that fails, at a file-size limit or on a full disk, it
  // answers the count and leaves the offset where it was: kiocb_done() in io_uring/rw.c. The next write would
  // overwrite this one. So the offset is put where write(2) leaves it.
  if (result > 0 && static_cast<size_t>(result) < count && system_call(__NR_lseek, fd, 0, SEEK_CUR) == before) {
    const bool appends = system_call(__NR_fcntl, fd, F_GETFL) & O_APPEND;
    system_call(__NR_lseek, fd, appends ? 0 : result, appends ? SEEK_END : SEEK_CUR);
  }
  return result;
}

// Whether a write that was cancelled can go without a cancel: to a descriptor that may block, and would not. Such
// are those that nobody can poll, /dev/full for one: poll(2) calls them ready, and a worker of the kernel writes.
bool would_not_wait(int fd) {
  const intptr_t flags = system_call(__NR_fcntl, fd, F_GETFL);
  if (flags < 0 || flags & O_NONBLOCK) return false;
  struct pollfd room = {fd, POLLOUT, 0};
  struct timespec at_once = {0, 0};
  return system_call(__NR_ppoll, address_of(&room), 1, address_of(&at_once), 0, 0) == 1 && room.revents & POLLOUT;
}

}  // namespace

intptr_t uring_write(Uring* ring, int fd, const void* bytes, size_t count) {
  if (ring->fd < 0) {
    const char* call;
    const intptr_t opened = open_ring(ring, &call);
    if (opened < 0) {
      uring_close(ring);
      return opened;
    }
  }
  // fstat(2) costs a third of the write, so it is not asked about what was no file the last time. Should it be one
  // by now, the cancel tells.
  const bool known = fd >= 0 && fd < 256;
  uint32_t* word = &ring->no_file[known ? fd / 32 : 0];
  const uint32_t bit = known ? uint32_t{1} << fd % 32 : 0;
  if (!(*word & bit) && is_file(fd)) return write_file(ring, fd, bytes, count);
  *word |= bit;
  const intptr_t result = submit(ring, fd, bytes, count, true);
  if (result != -ECANCELED) return result;
  if (is_file(fd)) {
    *word &= ~bit;
    return write_file(ring, fd, bytes, count);
  }
  return would_not_wait(fd) ? submit(ring, fd, bytes, count, false) : -EAGAIN;
}

intptr_t uring_probe(Uring* ring, const char** call) {
  intptr_t result = ring->fd < 0 ? open_ring(ring, call) : 0;
  if (result == 0) {
    *call = "IORING_OP_WRITE";
    // A kernel that knows the operation says that there is no such descriptor; another says EINVAL.
    result = submit(ring, -1, nullptr, 0, true);
    if (result == -EBADF) return 0;
    if (result >= 0) result = -EINVAL;
  }
  uring_close(ring);
  return result;
}

void uring_close(Uring* ring) {
  if (ring->entries != nullptr) system_call(__NR_munmap, address_of(ring->entries), ring->entries_size);
  if (ring->queues != nullptr) system_call(__NR_munmap, address_of(ring->queues), ring->queues_size);
  if (ring->fd >= 0) system_call(__NR_close, ring->fd);
  *ring = Uring{};
}

MachineCode uring_code() { return uring_enter_code(); }

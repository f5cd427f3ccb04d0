// write(2) as an entry in an io_uring. One io_uring_enter(2) submits it and waits for it, so a tracer of system calls
// sees no write. https://man7.org/linux/man-pages/man7/io_uring.7.html
//
// When there is no room, the kernel does not complete a write with -EAGAIN. It waits for room and tries again, even
// with O_NONBLOCK. So each write is submitted together with an IORING_OP_ASYNC_CANCEL, which ends that wait before it
// starts; -ECANCELED then stands for -EAGAIN. Writes to a regular file or block device have no cancel: a worker thread
// of the kernel makes them, and the cancel would nearly always come before it.
#include "uring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "syscall.h"

// Copied from include/uapi/linux/io_uring.h in the kernel's source: musl does not have that header, and on older
// distributions it does not have these names.
namespace {
constexpr intptr_t IO_URING_SETUP = 425;  // the same on every architecture
constexpr uint8_t IORING_OP_ASYNC_CANCEL = 14;
constexpr uint8_t IORING_OP_WRITE = 23;
constexpr unsigned IORING_ENTER_GETEVENTS = 1;
constexpr intptr_t IORING_OFF_SQ_RING = 0;
constexpr intptr_t IORING_OFF_SQES = 0x10000000;
// user_data of the two entries. Their completions carry it.
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

// Opens a ring with two entries: a write and its cancel. Returns 0, or -errno and the name of the call that failed.
intptr_t open_ring(Uring* ring, const char** call) {
  Parameters parameters = {};
  *call = "io_uring_setup";
  const intptr_t fd = system_call(IO_URING_SETUP, 2, address_of(&parameters));  // the kernel sets close-on-exec
  if (fd < 0) return fd;
  ring->fd = static_cast<int>(fd);

  const QueueOffsets& sq = parameters.sq;
  const QueueOffsets& cq = parameters.cq;
  const size_t array_end = sq.array_or_flags + parameters.sq_entries * sizeof(uint32_t);
  const size_t completions_end = cq.dropped_or_cqes + parameters.cq_entries * sizeof(UringCompletion);
  // One mapping holds both queues since Linux 5.4 (IORING_FEAT_SINGLE_MMAP). IORING_OP_WRITE needs 5.6 anyway.
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
  ring->sq_head = field(sq.head);
  ring->sq_tail = field(sq.tail);
  ring->sq_mask = *field(sq.ring_mask);
  ring->cq_head = field(cq.head);
  ring->cq_tail = field(cq.tail);
  ring->cq_mask = *field(cq.ring_mask);
  ring->completions = reinterpret_cast<UringCompletion*>(base + cq.dropped_or_cqes);
  // The submission queue holds indexes of entries. Each place always names the entry of the same index.
  for (uint32_t i = 0; i < parameters.sq_entries; i++) field(sq.array_or_flags)[i] = i;
  return 0;
}

// The kernel reads and changes these counters at the same time, so they need memory barriers: io_uring(7).
uint32_t load(const uint32_t* counter) { return __atomic_load_n(counter, __ATOMIC_ACQUIRE); }
void store(uint32_t* counter, uint32_t value) { __atomic_store_n(counter, value, __ATOMIC_RELEASE); }

// Submits a write, followed by a cancel if `cancel` is set, and waits until every submitted entry is complete. Returns
// the write's result.
intptr_t submit(Uring* ring, int fd, const void* bytes, size_t count, bool cancel) {
  const uint32_t start = *ring->sq_tail;
  const uint32_t asked = cancel ? 2 : 1;

  UringEntry& write = ring->entries[start & ring->sq_mask];
  write = UringEntry{};
  write.opcode = IORING_OP_WRITE;
  write.fd = fd;
  write.offset = ~uint64_t{0};  // -1: at the descriptor's own offset
  write.address = address_of(bytes);
  // The kernel shortens it further to MAX_RW_COUNT, as it does for write(2).
  write.length = count < UINT32_MAX ? static_cast<uint32_t>(count) : UINT32_MAX;
  write.user_data = WRITE;
  if (cancel) {
    UringEntry& end = ring->entries[(start + 1) & ring->sq_mask];
    end = UringEntry{};
    end.opcode = IORING_OP_ASYNC_CANCEL;
    end.fd = -1;
    end.address = WRITE;
    end.user_data = CANCEL;
  }
  store(ring->sq_tail, start + asked);

  intptr_t result = -EAGAIN;
  bool written = false;
  for (uint32_t done = 0;;) {
    const uint32_t left = start + asked - load(ring->sq_head);
    const intptr_t entered = uring_enter(ring->fd, left, asked - done, IORING_ENTER_GETEVENTS);
    for (uint32_t head = *ring->cq_head; head != load(ring->cq_tail); store(ring->cq_head, ++head)) {
      const UringCompletion& completion = ring->completions[head & ring->cq_mask];
      if (completion.user_data == WRITE) {
        result = completion.result;
        written = true;
      }
      done++;
    }
    if (done == asked) return result;

    // Withdraw the entries that the kernel did not take: at the next call, their bytes would no longer be valid.
    const uint32_t taken = load(ring->sq_head) - start;
    if (taken == 0 || (written && done == taken)) {
      store(ring->sq_tail, start + taken);
      return taken > 0 ? result : entered < 0 ? entered : -EAGAIN;
    }
    // A signal interrupted the call, or the kernel took only the write. Wait on: the kernel still uses the bytes.
    if (entered >= 0 || entered == -EINTR) continue;
    // The kernel no longer lets us wait, because of a new seccomp filter for example. Closing the ring cancels its
    // entries.
    uring_close(ring);
    return entered;
  }
}

bool is_file(int fd) {
  // On x86-64 and arm64, struct stat of glibc and musl has the layout of the kernel's.
  struct stat status;
  if (system_call(__NR_fstat, fd, address_of(&status)) < 0) return false;
  return S_ISREG(status.st_mode) || S_ISBLK(status.st_mode);
}

intptr_t write_file(Uring* ring, int fd, const void* bytes, size_t count) {
  const intptr_t offset_before = system_call(__NR_lseek, fd, 0, SEEK_CUR);
  const intptr_t result = submit(ring, fd, bytes, count, false);
  // After a short write, the kernel tries to write the rest. If that fails (file-size limit, full disk), it returns the
  // short count but does not move the offset: kiocb_done() in io_uring/rw.c. The next write would overwrite this one,
  // so move the offset to where write(2) leaves it.
  if (result > 0 && static_cast<size_t>(result) < count && system_call(__NR_lseek, fd, 0, SEEK_CUR) == offset_before) {
    const bool appends = system_call(__NR_fcntl, fd, F_GETFL) & O_APPEND;
    system_call(__NR_lseek, fd, appends ? 0 : result, appends ? SEEK_END : SEEK_CUR);
  }
  return result;
}

// Returns true if a cancelled write can be repeated without a cancel: the descriptor has no O_NONBLOCK, and a write to
// it would not wait. This happens with devices that cannot be polled, such as /dev/full: the kernel hands the write to
// a worker thread, which the cancel stops, and poll(2) always reports them as ready.
bool is_ready_to_write(int fd) {
  const intptr_t flags = system_call(__NR_fcntl, fd, F_GETFL);
  if (flags < 0 || flags & O_NONBLOCK) return false;
  struct pollfd room = {fd, POLLOUT, 0};
  struct timespec no_wait = {0, 0};
  return system_call(__NR_ppoll, address_of(&room), 1, address_of(&no_wait), 0, 0) == 1 && room.revents & POLLOUT;
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
  // fstat(2) costs a third of the write, so it is skipped if the descriptor's last write was not to a file. If the
  // descriptor is a file by now, the write comes back cancelled, and fstat(2) runs then.
  const bool is_tracked = fd >= 0 && fd < 256;
  uint32_t* word = &ring->not_file[is_tracked ? fd / 32 : 0];
  const uint32_t bit = is_tracked ? uint32_t{1} << fd % 32 : 0;
  if (!(*word & bit) && is_file(fd)) return write_file(ring, fd, bytes, count);
  *word |= bit;
  const intptr_t result = submit(ring, fd, bytes, count, true);
  if (result != -ECANCELED) return result;
  if (is_file(fd)) {
    *word &= ~bit;
    return write_file(ring, fd, bytes, count);
  }
  return is_ready_to_write(fd) ? submit(ring, fd, bytes, count, false) : -EAGAIN;
}

intptr_t uring_probe(Uring* ring, const char** call) {
  intptr_t result = ring->fd < 0 ? open_ring(ring, call) : 0;
  if (result == 0) {
    *call = "IORING_OP_WRITE";
    // A kernel that has IORING_OP_WRITE refuses descriptor -1 with EBADF. One without it returns EINVAL.
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

// The interface between addon-witness.cc and the witness: witness.cc on Linux on x86-64, stub/witness.cc on other
// platforms. The witness lists the system calls that a thread makes between witness_arm() and witness_disarm().
#pragma once
#include <stddef.h>
#include <stdint.h>

// The most calls that one list keeps.
constexpr uint32_t WITNESS_CALLS = 256;
// The first bytes of a write that are kept: PREVIEW_BYTES in src/protocol/preview.ts.
constexpr size_t WITNESS_PREVIEW = 64;

// One system call. All fields have 64 bits: src/syscalls/bindings/witness.ts reads them as one array.
struct WitnessedCall {
  uint64_t is_32bit;      // 1 for a call of the 32-bit ABI, which int $0x80 makes
  uint64_t number;        // in the table of its ABI
  uint64_t arguments[6];  // the registers of the arguments, whether the call takes them or not
  uint64_t address;       // of the instruction that made the call
  uint64_t has_result;    // 0 for a call that the witness could not follow, such as clone(2)
  int64_t result;         // in the kernel's convention: -errno for an error
  int64_t preview_size;   // the bytes kept of a write that succeeded, or -1
};

struct WitnessWindow;

// The state of one thread. The first use maps the memory.
struct Witness {
  WitnessWindow* window = nullptr;
};

// Why there is no witness: the call that failed, with its -errno. `call` is null if nothing failed.
// "witness" with -EBUSY: one is armed in this thread. "threads" with -EBUSY: too many threads have one.
// "sigaction" with -EBUSY: this process handles SIGSYS itself. "rt_sigpending" with -EBUSY: a SIGSYS that this thread has
// blocked is waiting, and would be delivered. "valgrind" with -ENOSYS: this process runs under valgrind.
struct WitnessRefusal {
  const char* call;
  intptr_t result;
};

// Starts a list of at most `limit` calls. Do not return to JavaScript before witness_disarm(): a thread that ends in
// between would end the process.
WitnessRefusal witness_arm(Witness* witness, uint32_t limit);

// The list. It is valid until the next witness_arm() of the thread.
struct WitnessReport {
  const WitnessedCall* calls;
  const unsigned char (*previews)[WITNESS_PREVIEW];
  uint32_t count;
  uint64_t dropped;  // the calls beyond the limit
  bool complete;     // false if there may be calls that the witness did not see
};

WitnessReport witness_disarm(Witness* witness);

// Arms and disarms, and checks that a system call in between was seen.
WitnessRefusal witness_probe(Witness* witness);

// Disarms, if the process ends while it is armed, and unmaps the memory.
void witness_close(Witness* witness);

// The place of an instruction: a file that is loaded, and the address in it as objdump and addr2line know it.
struct WitnessPlace {
  const char* file;    // as the dynamic linker knows it
  const char* symbol;  // the exported function around it, or null
  uint64_t offset;
};

// Returns false if the address is in no loaded file.
bool witness_locate(uintptr_t address, WitnessPlace* place);

// The names of the system calls, one blank between two numbers. Empty if the headers were missing at build time.
const char* witness_names(bool is_32bit);

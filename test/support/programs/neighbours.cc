// Inlines raw_write() among more live values than the CPU has registers, so that the compiler keeps a value in every
// register that the asm statement does not list. A register that is missing there then damages a value.
// Compile with -DARCH="file", a file of native/arch/.
#include <stddef.h>
#include <stdint.h>

// This first declaration gives raw_write() internal linkage, which the later one in raw.h does not change: [dcl.stc] in
// the C++ standard.
static inline __attribute__((always_inline)) intptr_t raw_write(int fd, const void* bytes, size_t count);
#define noinline always_inline
#include ARCH
#undef noinline

#define EACH(DO) \
  DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15) DO(16) DO(17) \
  DO(18) DO(19) DO(20) DO(21) DO(22) DO(23) DO(24) DO(25) DO(26) DO(27) DO(28) DO(29) DO(30) DO(31)
#define START(n) uint64_t value##n = start * (n + 1);
// Hides a value from the optimizer, so that the compiler has to keep it.
#define HIDE(value) __asm__ volatile("" : "+r"(value))
#define NEXT(n) HIDE(value##n); value##n += n;
#define COMPARE(n) faults += value##n != start * (n + 1) + n * rounds;

// Writes the numbers 0, 1, 2 … as 8 bytes each. Returns the count of wrong values.
extern "C" __attribute__((visibility("default"))) uint64_t neighbours(int fd, uint64_t rounds, uint64_t start) {
  uint64_t faults = 0;
  EACH(START)
  for (uint64_t round = 0; round < rounds; round++) {
    // If "memory" were not a clobber, the compiler could omit this store.
    const uint64_t number = round;
    // The arguments are used again after the call, so the compiler must know which of their registers changed.
    const uint64_t* bytes = &number;
    intptr_t count = sizeof number;
    HIDE(bytes);
    HIDE(count);
    faults += raw_write(fd, bytes, count) != count;
    faults += bytes != &number || count != sizeof number;
    EACH(NEXT)
  }
  EACH(COMPARE)
  return faults;
}

#if __STDC_HOSTED__
#include <stdlib.h>

int main(int, char** argv) { return neighbours(1, strtoull(argv[1], nullptr, 0), 0x123456789abcdef) != 0; }
#endif

// System calls by our own instruction, for what int80.cc and uring.cc need around their writes; the
// addon imports neither write nor syscall from libc. Defined in arch/*-calls.cc.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "raw.h"

// Any system call of up to six arguments. Returns its result, or -errno.
intptr_t system_call(intptr_t number, intptr_t a = 0, intptr_t b = 0, intptr_t c = 0, intptr_t d = 0, intptr_t e = 0,
                     intptr_t f = 0);

// io_uring_enter(2), by an instruction of its own that can be read back.
intptr_t uring_enter(int ring, unsigned submit, unsigned complete, unsigned flags);
MachineCode uring_enter_code();

template <typename T>
intptr_t address_of(T* pointer) {
  return reinterpret_cast<intptr_t>(pointer);
}

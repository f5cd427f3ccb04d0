// System calls by our own instruction, which int80.cc and uring.cc make around their writes. They do not use libc's
// syscall(), so that the addon provably has no other way to write. Defined in arch/*-syscall.cc.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "raw.h"

// Makes any system call of up to six arguments. Returns its result, or -errno.
intptr_t system_call(intptr_t number, intptr_t a = 0, intptr_t b = 0, intptr_t c = 0, intptr_t d = 0, intptr_t e = 0,
                     intptr_t f = 0);

// Calls io_uring_enter(2) by a separate instruction, whose machine code uring_enter_code() returns.
intptr_t uring_enter(int ring, unsigned submit, unsigned complete, unsigned flags);
MachineCode uring_enter_code();

template <typename T>
intptr_t address_of(T* pointer) {
  return reinterpret_cast<intptr_t>(pointer);
}

// The kernel's number for "no such system call", which the stubs return.
#pragma once
#include <stdint.h>

#ifdef __APPLE__
// Not from <errno.h>: a build for macOS on another system has that system's headers, and Linux's number is 38.
// bsd/sys/errno.h in XNU's source.
constexpr intptr_t NO_SYSTEM_CALL = 78;
#else
#include <errno.h>
constexpr intptr_t NO_SYSTEM_CALL = ENOSYS;
#endif

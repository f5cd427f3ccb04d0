// Level `int80` on any platform but Linux on x86-64: every write fails with ENOSYS.
#include "../int80.h"

#include <cerrno>

intptr_t int80_write(Int80*, int, const void*, size_t) { return -ENOSYS; }

void int80_close(Int80*) {}

Int80Probe int80_probe() { return {"int80", -ENOSYS, 0}; }

MachineCode int80_code() { return {nullptr, 0}; }

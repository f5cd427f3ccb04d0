// Level `int80` on any platform but Linux on x86-64: every write fails with ENOSYS.
#include "../int80.h"

#include "enosys.h"

intptr_t int80_write(Int80*, int, const void*, size_t) { return -NO_SYSTEM_CALL; }

void int80_close(Int80*) {}

Int80Probe int80_probe() { return {"int80", -NO_SYSTEM_CALL, 0}; }

MachineCode int80_code() { return {nullptr, 0}; }

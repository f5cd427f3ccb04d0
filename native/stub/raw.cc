// Level `raw` on a platform without an assembly file in arch/: every write fails with ENOSYS.
#include "../raw.h"

#include "enosys.h"

intptr_t raw_write(int, const void*, size_t) { return -NO_SYSTEM_CALL; }

MachineCode raw_code() { return {nullptr, 0}; }

// Any OS and CPU that has no file of its own yet: no instruction, so no call.
#include "../raw.h"

#include <cerrno>

intptr_t raw_write(int, const void*, size_t) { return -ENOSYS; }

MachineCode raw_code() { return {nullptr, 0}; }

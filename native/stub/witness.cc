// For platforms without Syscall User Dispatch, or without a file in arch/ for it: there is no witness.
#include "../witness.h"

#include <errno.h>

WitnessRefusal witness_arm(Witness*, uint32_t) { return {"prctl", -ENOSYS}; }
WitnessReport witness_disarm(Witness*) { return {}; }
WitnessRefusal witness_probe(Witness*) { return {"prctl", -ENOSYS}; }
void witness_close(Witness*) {}
bool witness_locate(uintptr_t, WitnessPlace*) { return false; }
const char* witness_names(bool) { return ""; }

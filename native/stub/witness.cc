// For platforms without Syscall User Dispatch, or without a file in arch/ for it: there is no witness.
#include "../witness.h"

#include "enosys.h"

WitnessRefusal witness_arm(Witness*, uint32_t) { return {"prctl", -NO_SYSTEM_CALL}; }
WitnessReport witness_disarm(Witness*) { return {}; }
WitnessRefusal witness_probe(Witness*) { return {"prctl", -NO_SYSTEM_CALL}; }
void witness_close(Witness*) {}
bool witness_locate(uintptr_t, WitnessPlace*) { return false; }
const char* witness_names(bool) { return ""; }

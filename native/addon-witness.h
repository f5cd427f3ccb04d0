// The part of addon.cc that converts what witness.h returns.
#pragma once
#include <node_api.h>

#include "witness.h"

// Returns the object `witness` of the addon: src/syscalls/bindings/addon.ts describes it. `witness` has to live as long.
napi_value witness_exports(napi_env env, Witness* witness);

// Exports the functions of native/raw.h from a macOS bundle, for test/native/darwin.test.ts.
#include "raw.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT intptr_t write_bytes(int fd, const void* bytes, size_t count) { return raw_write(fd, bytes, count); }

// With WRITE_ONLY, nothing refers to the labels: only raw_write() refers to the code between them.
#ifndef WRITE_ONLY
EXPORT const unsigned char* code_begin() { return raw_code().begin; }
EXPORT size_t code_size() { return raw_code().size; }
#endif

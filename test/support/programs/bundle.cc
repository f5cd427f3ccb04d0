// What a test calls in a macOS bundle: the seam of native/raw.h, exported.
#include "raw.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT intptr_t write_bytes(int fd, const void* bytes, size_t count) { return raw_write(fd, bytes, count); }

// Left out, raw_write() is all that refers to the labels' code.
#ifndef WRITE_ONLY
EXPORT const unsigned char* code_begin() { return raw_code().begin; }
EXPORT size_t code_size() { return raw_code().size; }
#endif

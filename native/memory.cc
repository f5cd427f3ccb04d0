// operator new and delete over malloc and free, so that the addon needs no C++ library. One file then loads under glibc
// and under musl. The linker hides them
// (exports.map), so that only the addon gets them.
#include <stddef.h>
#include <stdlib.h>

void* operator new(size_t size) {
  // The addon is built without exceptions, so nothing can catch std::bad_alloc.
  if (void* const memory = malloc(size)) return memory;
  abort();
}
void* operator new[](size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }

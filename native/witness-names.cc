// Where an instruction of this process lies, and how its system call is called.
#include <dlfcn.h>
#include <link.h>

#include "syscall-names.h"  // written by build.mjs, from the kernel's headers
#include "witness.h"

bool witness_locate(uintptr_t address, WitnessPlace* place) {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(address), &info) == 0 || info.dli_fname == nullptr) return false;
  // The file's addresses begin at that of its first segment: 0 in a library, 0x400000 in an executable that is not
  // position-independent. https://man7.org/linux/man-pages/man5/elf.5.html
  const auto* header = static_cast<const ElfW(Ehdr)*>(info.dli_fbase);
  const auto* segment = reinterpret_cast<const ElfW(Phdr)*>(static_cast<const char*>(info.dli_fbase) + header->e_phoff);
  uint64_t first = 0;
  for (int i = header->e_phnum; i-- > 0;)
    if (segment[i].p_type == PT_LOAD) first = segment[i].p_vaddr & ~(segment[i].p_align - 1);
  *place = {info.dli_fname, info.dli_sname, address - reinterpret_cast<uintptr_t>(info.dli_fbase) + first};
  return true;
}

const char* witness_names(bool is_32bit) { return is_32bit ? SYSTEM_CALLS_32 : SYSTEM_CALLS_64; }

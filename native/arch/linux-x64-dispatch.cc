// System calls that were dispatched to a SIGSYS handler, on Linux, x86-64.
//
//                 64-bit ABI                        32-bit ABI
//   number        rax, from siginfo                 eax, from siginfo
//   arguments     rdi, rsi, rdx, r10, r8, r9        ebx, ecx, edx, esi, edi, ebp
//   enter         syscall, 2 bytes                  int $0x80, 2 bytes
//   result        rax                               eax
//   clobbered     rcx, r11, memory                  r8, r9, r10, r11 (zeroed before Linux 4.17), memory
//
// Sources: syscall(2), "Architecture calling conventions"; sigreturn(2); do_syscall_user_dispatch in
// kernel/entry/syscall_user_dispatch.c in the kernel's source.
#include "../dispatch.h"

// - The kernel compares the address behind the instruction with the range. So the range needs a byte behind it.
// - These are the bytes of glibc's own restorer: debuggers and unwinders recognize a signal frame by them.
__asm__(
    ".pushsection .text\n"
    ".globl dispatch_free_begin, dispatch_free_end, return_from_signal\n"
    ".hidden dispatch_free_begin, dispatch_free_end, return_from_signal\n"
    ".type return_from_signal, @function\n"
    ".balign 16\n"
    "nop\n"  // unwinders look up the address before a return address
    "dispatch_free_begin:\n"
    "return_from_signal:\n\t"
    "movq $15, %rax\n\t"  // __NR_rt_sigreturn
    "syscall\n\t"
    "hlt\n"
    "dispatch_free_end:\n"
    ".size return_from_signal, . - return_from_signal\n"
    ".popsection");

namespace {
constexpr int REGISTERS_64[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
constexpr int REGISTERS_32[] = {REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP};
constexpr int INSTRUCTION_SIZE = 2;
}  // namespace

uintptr_t thread_pointer() {
  // System V AMD64 ABI, thread-local storage: the first word at fs is its own address.
  uintptr_t pointer;
  __asm__("movq %%fs:0, %0" : "=r"(pointer));
  return pointer;
}

bool is_under_valgrind() {
  // A client request, which does nothing on a CPU: RUNNING_ON_VALGRIND in include/valgrind.h in valgrind's source.
  const volatile uint64_t request[6] = {0x1001};
  uint64_t depth = 0;
  __asm__ volatile(
      "rolq $3, %%rdi\n\t"
      "rolq $13, %%rdi\n\t"
      "rolq $61, %%rdi\n\t"
      "rolq $51, %%rdi\n\t"
      "xchgq %%rbx, %%rbx"
      : "+d"(depth)
      : "a"(request)
      : "cc", "memory");
  return depth > 0;
}

void read_arguments(const ucontext_t* context, bool is_32bit, uint64_t* arguments) {
  const int* registers = is_32bit ? REGISTERS_32 : REGISTERS_64;
  for (int i = 0; i < 6; i++) arguments[i] = static_cast<uint64_t>(context->uc_mcontext.gregs[registers[i]]);
}

void set_result(ucontext_t* context, intptr_t result) { context->uc_mcontext.gregs[REG_RAX] = result; }

void make_again(ucontext_t* context, intptr_t number) {
  context->uc_mcontext.gregs[REG_RIP] -= INSTRUCTION_SIZE;
  context->uc_mcontext.gregs[REG_RAX] = number;
}

void redirect_to_return(ucontext_t* context) {
  // rsp stays: rt_sigreturn finds the signal frame by it.
  context->uc_mcontext.gregs[REG_RIP] = reinterpret_cast<intptr_t>(return_from_signal);
}

uintptr_t instruction_before(const void* address) { return reinterpret_cast<uintptr_t>(address) - INSTRUCTION_SIZE; }

intptr_t system_call_32(intptr_t number, const uint64_t* arguments) {
  intptr_t result = number;
  // The compiler may need rbp for its own frame, so it is exchanged around the instruction. Not with r8 to r11: the
  // kernel may change them.
  register uint64_t sixth __asm__("r12") = arguments[5];
  __asm__ volatile(
      "xchgq %%rbp, %%r12\n\t"
      "int $0x80\n\t"
      "xchgq %%rbp, %%r12"
      : "+a"(result), "+r"(sixth)
      : "b"(arguments[0]), "c"(arguments[1]), "d"(arguments[2]), "S"(arguments[3]), "D"(arguments[4])
      : "r8", "r9", "r10", "r11", "cc", "memory");
  return result;
}

// Runs the machine code in code.bin, which the assembler finds on its include path, with a different value in every
// register, and prints each register before and after.
//
//   registers [name=value …]     a value is a number, or `text`: the address of the bytes "registers"
//
// Prints one line per register: name, before, after, in hexadecimal. The last line has the address of the code's end.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern "C" {
uint64_t general_before[40], general_after[40];
uint64_t vector_before[64], vector_after[64];
void run();
extern const char code_end[];
}

#if defined(__x86_64__)

static const char* const GENERAL[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",   "r9",
                                      "r10", "r11", "r12", "r13", "r14", "r15", "rsp", "flags"};
static const int VECTORS = 16;
// Carry, parity, adjust, zero, sign and overflow.
static const uint64_t FLAGS = 0x8d5;

// rsp keeps its value, because run() needs it to return. Moves do not change the flags.
__asm__(R"(
  .text
run:
  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15
  mov %rsp, general_before+120(%rip)
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movups vector_before+16*\n(%rip), %xmm\n
  .endr
  pushf
  mov general_before+128(%rip), %rax
  or %rax, (%rsp)
  mov (%rsp), %rax
  mov %rax, general_before+128(%rip)
  popf
  .set at, 0
  .irp r, rax,rbx,rcx,rdx,rsi,rdi,rbp,r8,r9,r10,r11,r12,r13,r14,r15
    mov general_before+at(%rip), %\r
    .set at, at+8
  .endr
  .incbin "code.bin"
code_end:
  .set at, 0
  .irp r, rax,rbx,rcx,rdx,rsi,rdi,rbp,r8,r9,r10,r11,r12,r13,r14,r15,rsp
    mov %\r, general_after+at(%rip)
    .set at, at+8
  .endr
  pushf
  pop general_after+128(%rip)
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movups %xmm\n, vector_after+16*\n(%rip)
  .endr
  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx
  ret
)");

#elif defined(__aarch64__)

static const char* const GENERAL[] = {"x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",  "x9",  "x10",
                                      "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21",
                                      "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp",  "flags"};
static const int VECTORS = 32;
// Negative, zero, carry and overflow.
static const uint64_t FLAGS = 0xf0000000;

// sp keeps its value, because run() needs it to return. Loads and stores do not change the flags.
__asm__(R"(
  .text
run:
  stp x29, x30, [sp, #-160]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  adrp x0, vector_before
  add x0, x0, :lo12:vector_before
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ldr q\n, [x0, #16*\n]
  .endr
  adrp x0, general_before
  add x0, x0, :lo12:general_before
  mov x1, sp
  str x1, [x0, #8*31]
  ldr x1, [x0, #8*32]
  msr nzcv, x1
  .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,0
    ldr x\n, [x0, #8*\n]
  .endr
  .incbin "code.bin"
code_end:
  stp x0, x1, [sp, #-16]!
  adrp x0, general_after
  add x0, x0, :lo12:general_after
  .irp n, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    str x\n, [x0, #8*\n]
  .endr
  mrs x1, nzcv
  str x1, [x0, #8*32]
  ldp x2, x3, [sp], #16
  stp x2, x3, [x0]
  mov x1, sp
  str x1, [x0, #8*31]
  adrp x0, vector_after
  add x0, x0, :lo12:vector_after
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    str q\n, [x0, #16*\n]
  .endr
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  ldp x29, x30, [sp], #160
  ret
)");

#else
#error "registers.cc has no list of registers for this CPU"
#endif

static const int GENERALS = sizeof(GENERAL) / sizeof(GENERAL[0]);

static uint64_t valueOf(const char* text) {
  return strcmp(text, "text") ? strtoull(text, nullptr, 0) : reinterpret_cast<uintptr_t>("registers");
}

static void set(const char* name, size_t length, uint64_t value) {
  for (int i = 0; i < GENERALS; i++)
    if (strlen(GENERAL[i]) == length && memcmp(GENERAL[i], name, length) == 0) general_before[i] = value;
}

int main(int argc, char** argv) {
  const uint64_t pattern = 0x0123456789abcdef;
  for (int i = 0; i < GENERALS; i++) general_before[i] = pattern + i;
  for (int i = 0; i < 2 * VECTORS; i++) vector_before[i] = ~pattern - i;
  set("flags", 5, FLAGS);
  for (int i = 1; i < argc; i++) {
    const size_t length = strcspn(argv[i], "=");
    set(argv[i], length, valueOf(argv[i] + length + 1));
  }

  run();

  for (int i = 0; i < GENERALS; i++)
    printf("%s %" PRIx64 " %" PRIx64 "\n", GENERAL[i], general_before[i], general_after[i]);
  // Each half of a vector register has its own line.
  for (int i = 0; i < 2 * VECTORS; i++)
    printf("v%d.%d %" PRIx64 " %" PRIx64 "\n", i / 2, i % 2, vector_before[i], vector_after[i]);
  printf("end %" PRIxPTR "\n", reinterpret_cast<uintptr_t>(code_end));
}

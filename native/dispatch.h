// The part of the witness that depends on the CPU: the place of a system call in the registers, and the one piece of
// code whose system calls are not dispatched. Defined in arch/*-dispatch.cc.
#pragma once
#include <stdint.h>
#include <ucontext.h>

// The range that Syscall User Dispatch leaves alone. It holds return_from_signal() only.
extern "C" __attribute__((visibility("hidden"))) const unsigned char dispatch_free_begin[];
extern "C" __attribute__((visibility("hidden"))) const unsigned char dispatch_free_end[];

// Makes rt_sigreturn(2). The kernel enters it when a signal handler of ours returns. It does not return.
extern "C" __attribute__((visibility("hidden"))) void return_from_signal();

// Returns a value that no other running thread of the process has, without a system call.
uintptr_t thread_pointer();

// Returns true if valgrind runs this code. It makes the system calls by its own instructions, and those would be
// dispatched to a handler that it could not start.
bool is_under_valgrind();

// Copies the registers of the six arguments.
void read_arguments(const ucontext_t* context, bool is_32bit, uint64_t* arguments);

// Lets the interrupted code find this result.
void set_result(ucontext_t* context, intptr_t result);

// Lets the interrupted code make its system call once more.
void make_again(ucontext_t* context, intptr_t number);

// Lets the interrupted code, which is about to return from a signal handler, do so by return_from_signal().
void redirect_to_return(ucontext_t* context);

// Returns the address of the instruction, given the address behind it.
uintptr_t instruction_before(const void* address);

// Makes a system call of the 32-bit ABI. Returns its result, or -errno.
intptr_t system_call_32(intptr_t number, const uint64_t* arguments);

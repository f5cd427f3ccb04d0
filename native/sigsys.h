// The SIGSYS handler of the process, for witness.cc. It is installed while at least one thread has a witness.
#pragma once
#include <signal.h>
#include <stdint.h>

#include "witness.h"

using SignalHandler = void (*)(int signal, siginfo_t* info, void* context);

// Installs the handler for this thread. Refuses if the process has a handler of its own.
WitnessRefusal sigsys_enter(WitnessWindow* window, SignalHandler handler);

// Restores the earlier handler when no other thread needs ours.
void sigsys_leave(WitnessWindow* window);

// Returns what this thread has entered with, or null. It may be called in the handler.
WitnessWindow* sigsys_window();

// Does with a signal what would have happened to it without a witness.
void sigsys_pass_on(int signal, siginfo_t* info, void* context);

// Sends the signal to this thread, with its cause if possible.
void sigsys_send(int signal, const siginfo_t* info);

// To be called after the program has taken this thread's dispatch for itself: restores its handler, unless another
// thread needs ours.
void sigsys_give_up();

// To be called after the program has made an rt_sigaction(2) for SIGSYS: installs our handler again, and lets the
// program find its own earlier one. The parameters are those of its call.
void sigsys_reinstall(uint64_t action, uint64_t previous);

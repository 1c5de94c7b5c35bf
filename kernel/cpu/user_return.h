// Leaving the kernel: the slow way out (iret), and the check of a frame that somebody may have edited.
#pragma once

#include "cpu/trap_frame.h"

namespace tollgate {

/// Restores every register from the frame, which must be at the top of the current thread's kernel stack, and returns
/// to user code.
extern "C" [[noreturn]] void enter_user_mode(TrapFrame& frame);

/// RFLAGS bits that user code may choose; IF is always 1, the rest always 0 [threats S6].
inline constexpr u64 kUserFlags =
    0x1 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x800 | 0x4000 | 0x10000 | 0x40000 | 0x200000;

/// What user_return_work() calls, set once at boot. `reschedule` gives up the core. `thread_work` ends the current
/// thread if it is being killed and delivers its signals, which may edit the frame. `bad_frame` is
/// told of a frame whose RIP is no user address: it ends the process, or has thread_work replace the frame.
struct ReturnHooks {
    void (*reschedule)() = nullptr;
    void (*thread_work)(TrapFrame&) = nullptr;
    void (*bad_frame)(TrapFrame&) = nullptr;
};
void set_return_hooks(const ReturnHooks& hooks);

} // namespace tollgate

// What becomes of a fastcall that faults, does not end, or wants to leave in a wrong state.
#pragma once

#include "cpu/trap_frame.h"

namespace tollgate::fastcall {

/// TrapHandlers::fastcall_fault: the frame is the function's, moved to the kernel stack of the thread that called it.
/// A fault in a declared user copy makes it the caller's, with -EFAULT; anything else ends the process.
void handle_fault(TrapFrame& frame, u64 address);

} // namespace tollgate::fastcall

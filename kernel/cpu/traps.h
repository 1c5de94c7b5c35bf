// The C++ side of the IDT: events are handed to handlers that main.cpp sets, since policy lives in higher layers.
#pragma once

#include "cpu/trap_frame.h"

namespace tollgate {

/// What an interrupt has interrupted.
enum class TrapOrigin : u8 { User, Kernel };

struct TrapHandlers {
    /// A page fault at a user address, from user code or a user copy. True if the access can be repeated now.
    bool (*user_page_fault)(u64 address, u64 error) = nullptr;
    /// Any other exception of user code, an unresolved page fault included: ends the process. `address` is CR2 for page
    /// faults.
    void (*user_exception)(TrapFrame&, u64 address) = nullptr;
    /// A fault in a fastcall: makes the frame, which is the function's, one of user code, or ends the process.
    void (*fastcall_fault)(TrapFrame&, u64 address) = nullptr;
    /// Any NMI, on its own stack: no lock may be taken and nothing may fault. It may change RIP.
    void (*nmi)(TrapFrame&) = nullptr;
    /// An exception that the kernel cannot survive; does not return.
    void (*kernel_exception)(TrapFrame&, u64 address) = nullptr;
    void (*timer)(TrapOrigin) = nullptr;
    void (*reschedule)() = nullptr;
    /// Whether the address is in a guard page of a kernel stack.
    bool (*is_stack)(u64 address) = nullptr;
};
void set_trap_handlers(const TrapHandlers& handlers);

} // namespace tollgate

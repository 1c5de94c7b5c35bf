// Waking futex waiters from inside the kernel.
#pragma once

#include "lib/types.h"

namespace tollgate {

struct Caller;

/// Wakes one waiter at an address of the caller's space. For task::Hooks::wake_futex.
void futex_wake_one(Caller& caller, u64 address);

} // namespace tollgate

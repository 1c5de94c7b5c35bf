// What the end of a thread does with the futexes that the kernel knows of. For task::Hooks.
#pragma once

#include "lib/types.h"

namespace tollgate {

struct Caller;

/// Wakes one waiter at an address of the caller's space.
void futex_wake_one(Caller& caller, u64 address);
/// Marks the robust locks that the thread still holds as their owner's death left them, and wakes who waits for them.
void futex_release_robust_list(Caller& caller);

} // namespace tollgate

// Allocations that fail on purpose, in the kernel built with tests [threats X2]: the Nth of a frame or a heap block
// that one thread makes, or every Nth of all user threads. In the ordinary kernel now() is a constant false and costs
// nothing.
#pragma once

#include "lib/types.h"

namespace tollgate::fail_alloc {

#ifdef TOLLGATE_TESTS
/// Whether the allocation that the current thread is about to make fails.
bool now();
enum class Failing : u8 { Once, FromThenOn };
/// The current thread's allocation with this number from now on fails (1 is the next; 0: none), or all from that one
/// on. How many it has made since it last asked.
u64 arm(u64 number, Failing which);
/// From now on every Nth allocation of a user thread fails; 0: none.
void every(u64 number);
#else
constexpr bool now() { return false; }
constexpr void every(u64) {}
#endif

} // namespace tollgate::fail_alloc

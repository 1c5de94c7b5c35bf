// The fixed pages of a fastcall space, as entry.S, check.S and the functions read them (cpu/layout.h says where).
#pragma once

#include "api/fastcall.h"
#include "cpu/layout.h"
#include "gate/fastcall/provider.h"
#include "lib/atomic.h"
#include "mem/layout.h"

namespace tollgate::fastcall {

inline constexpr unsigned kSlots = api::kFastcallEntries;
inline constexpr unsigned kArrayWords = kFastcallArraySize / 8;

/// Every pointer from kSlots on is the stub's for ever: entry.S relies on it.
struct Pointers {
    Atomic<u64> function[kPageSize / 8];
};
struct Arrays {
    u64 attributes[kAttributes][kArrayWords];
    u64 function[kSlots]; ///< the function itself, where Pointers has fastcall_checked
    u64 checked_exit;     ///< where FASTCALL_RETURN goes with fastcall.check=on
};
/// Written by check.S only, and there with fastcall.check=on only.
struct Counts {
    Atomic<u64> calls[kArrayWords];
    Atomic<u64> longest[kArrayWords]; ///< ticks
    u8 rest[kPageSize - 2 * kFastcallArraySize];
};
static_assert(sizeof(Pointers) == kPageSize && sizeof(Arrays) == kPageSize && sizeof(Counts) == kPageSize);
inline constexpr u64 kCheckedExitWord = kFastcallArrays + __builtin_offsetof(Arrays, checked_exit);

} // namespace tollgate::fastcall

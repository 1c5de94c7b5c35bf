// What the tests of fastcalls share: where things lie, registering and deregistering, and what /proc says.
#pragma once

#include <cstdint>

#include "api/fastcall.h"
#include "userland/tests/support.h"

namespace tollgate::test {

// kernel/cpu/layout.h, and kernel/gate/fastcall/space.cpp for the window of a slot
inline constexpr uint64_t kTable = 0xffffffffc0000000;
inline constexpr uint64_t kStacks = kTable + 0x100000, kStackStride = 0x2000;
inline constexpr uint64_t kHeap = kTable + 0x200000, kWindow = 32 * kPage;
inline constexpr uint64_t kPrivateOffset = 2 * kPage; // of a function's first private page from its text

/// Registers an example; index ~0 if it cannot be had.
api::FastcallIoctl register_example(std::uint32_t request);
/// Registers a function that does what none may; its index, or -errno.
inline long register_abuse(api::FastcallAbuse which) {
    return probe(api::Probe::FastcallAbuse, static_cast<uint64_t>(which));
}
/// munmap() of a function of one page, by its slot.
long deregister(long index);

/// A function's line in /proc/tollgate/fastcall; zeros if it has none.
struct FastcallCounts {
    long registered, registrations, faults, kills, overruns, calls, longest;
};
FastcallCounts read_counts(const char* function);
/// Whether the kernel runs with fastcall.check=on.
bool checks_are_on();

long set_gs(uint64_t base);
uint64_t get_gs();

} // namespace tollgate::test

// Where a new program's parts lie: fixed places, and how far each is moved at random so that an attacker cannot know
// them (aslr=on; personality(2) ADDR_NO_RANDOMIZE turns it off for one process and its children).
#pragma once

#include "lib/address.h"

namespace tollgate {
class Process;
}

namespace tollgate::task {

/// Position-independent programs go two thirds up, as on Linux, far from mappings and the null page.
inline constexpr u64 kPieBase = 0x5555'5555'4000;
/// Mappings go down from here.
inline constexpr u64 kMapTop = 0x7f00'0000'0000;

/// Bytes; whole pages but for the stack pointer's 16-byte steps.
struct LayoutOffsets {
    u64 image = 0, mappings = 0, stack = 0, heap = 0, stack_pointer = 0;
};
/// `process` is null for init.
LayoutOffsets choose_offsets(const Process* process);

/// Random bytes for AT_RANDOM and the above; from the time alone before main.cpp has set the hook.
void random_bytes(void* to, u64 size);

} // namespace tollgate::task

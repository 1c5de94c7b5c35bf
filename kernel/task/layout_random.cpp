// The numbers of random bits are Linux' for x86-64, but that the stack stays close to the top of user space.
#include "task/layout_random.h"

#include "cpu/x86.h"
#include "task/process_table.h"

namespace tollgate::task {

namespace {

constexpr u32 kNoRandomize = 0x0004'0000; // ADDR_NO_RANDOMIZE [linux/personality.h]
constinit bool randomise = false;         // option aslr; set once at boot

constexpr u64 pages(u64 random, unsigned bits) { return (random & ((u64{1} << bits) - 1)) * kPageSize; }

} // namespace

void set_address_randomisation(bool on) { randomise = on; }

void random_bytes(void* to, u64 size) {
    if (const auto random = TaskAccess::hooks().random)
        return random(to, size);
    auto* bytes = static_cast<u8*>(to);
    for (u64 i = 0; i < size; ++i)
        bytes[i] = static_cast<u8>(x86::rdtsc() * 0x9e37'79b9'7f4a'7c15 >> 56);
}

LayoutOffsets choose_offsets(const Process* process) {
    if (!randomise || (process && process->personality.load(kRelaxed) & kNoRandomize))
        return {};
    u64 random[5];
    random_bytes(random, sizeof random);
    return {.image = pages(random[0], 28),
            .mappings = pages(random[1], 28),
            .stack = pages(random[2], 22),
            .heap = pages(random[3], 13),
            .stack_pointer = (random[4] & 0xff) * 16};
}

} // namespace tollgate::task

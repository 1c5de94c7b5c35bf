// The generator's state and its seed. Each use takes half a block for the caller and half for the next key, so that a
// state read later does not reveal what was handed out.
#include "fs/random.h"

#include "cpu/x86.h"
#include "lib/assert.h"
#include "lib/memory.h"
#include "sync/spinlock.h"

namespace tollgate::fs {
namespace {

constexpr u32 kConstants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; // "expand 32-byte k"

struct Generator {
    Spinlock lock{LockRank::File};
    bool seeded GUARDED_BY(lock) = false;
    u32 key[8] GUARDED_BY(lock) = {};
};
constinit Generator generator; // global: one stream for all processes

bool has_rdrand() { return x86::cpuid(1).ecx & 1u << 30; } // [SDM vol 2, CPUID.01H:ECX.RDRAND]

/// 32 bits of whatever the CPU has.
u32 entropy(bool rdrand) {
    for (unsigned attempt = 0; rdrand && attempt < 10; ++attempt) { // [SDM vol 1, 7.3.17.1]
        u32 value;
        bool good;
        asm volatile("rdrand %0" : "=r"(value), "=@ccc"(good));
        if (good)
            return value;
    }
    const u64 time = x86::rdtsc() * 0x9e3779b97f4a7c15;
    return static_cast<u32>(time >> 32);
}

void seed_locked() REQUIRES(generator.lock) {
    const bool rdrand = has_rdrand();
    for (u32& word : generator.key)
        word = entropy(rdrand);
    generator.seeded = true;
}

} // namespace

void random_bytes(std::span<std::byte> to) {
    ASSERT(to.size() <= kRandomPiece);
    u32 state[16] = {}, output[16];
    Guard guard{generator.lock};
    if (!generator.seeded)
        seed_locked();
    memcpy(state, kConstants, sizeof kConstants);
    memcpy(state + 4, generator.key, sizeof generator.key);
    chacha20_block(state, output);
    memcpy(generator.key, output, sizeof generator.key);
    memcpy(to.data(), output + 8, to.size());
}

void fill_random(void* to, u64 size) {
    auto* bytes = static_cast<std::byte*>(to);
    for (u64 done = 0; done < size;) {
        const u64 part = size - done < kRandomPiece ? size - done : kRandomPiece;
        random_bytes({bytes + done, part});
        done += part;
    }
}

} // namespace tollgate::fs

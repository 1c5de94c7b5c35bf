// The time stamp counter as a ruler: what it counts depends on the machine (spec/measuring.md): instructions under
// icount, cycles on hardware, nothing usable as a cost on plain TCG. The fences keep the measured code between the two
// readings [SDM vol 2B, RDTSC and RDTSCP]; cpuid would exit to the hypervisor.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace tollgate {

[[gnu::always_inline]] inline std::uint64_t ticks_begin() {
    std::uint32_t low, high;
    asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return std::uint64_t{high} << 32 | low;
}

[[gnu::always_inline]] inline std::uint64_t ticks_end() {
    std::uint32_t low, high;
    asm volatile("rdtscp\n\tlfence" : "=a"(low), "=d"(high) : : "rcx", "memory");
    return std::uint64_t{high} << 32 | low;
}

/// The length of nothing: the median of empty measurements, to be subtracted from every other.
inline std::uint64_t measure_ruler() {
    std::array<std::uint64_t, 501> lengths;
    for (auto& length : lengths) {
        const auto begin = ticks_begin();
        length = ticks_end() - begin;
    }
    std::nth_element(lengths.begin(), lengths.begin() + lengths.size() / 2, lengths.end());
    return lengths[lengths.size() / 2];
}

} // namespace tollgate

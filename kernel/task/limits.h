// Resource limits [man 2 getrlimit]: what a process may use, kept per process, inherited by fork and kept by exec. Each
// limit is enforced where its resource is given out; docs/processes.md says which are.
#pragma once

#include "lib/atomic.h"
#include "lib/types.h"

#include <array>

namespace tollgate {

struct ResourceLimit {
    u64 current, maximum;
}; // [linux/resource.h, struct rlimit64]
static_assert(sizeof(ResourceLimit) == 16);

/// [asm-generic/resource.h]
enum class Limit : u8 {
    CpuTime,
    FileSize,
    Data,
    Stack,
    Core,
    ResidentSet,
    Processes,
    OpenFiles,
    LockedMemory,
    AddressSpace,
    FileLocks,
    PendingSignals,
    MessageQueues,
    Nice,
    RealTimePriority,
    RealTimeTime,
};
inline constexpr u32 kLimits = 16;
inline constexpr u64 kUnlimited = ~u64{0};

class Limits {
public:
    Limits();
    /// The soft limit, which is the one that counts.
    u64 operator[](Limit which) const { return current_[static_cast<u32>(which)].load(kRelaxed); }
    ResourceLimit get(u32 which) const { return {current_[which].load(kRelaxed), maximum_[which].load(kRelaxed)}; }
    /// Racing changes of one limit leave a pair of either's halves.
    void set(u32 which, ResourceLimit limit) {
        current_[which].store(limit.current, kRelaxed);
        maximum_[which].store(limit.maximum, kRelaxed);
    }
    void copy_from(const Limits& other) {
        for (u32 i = 0; i < kLimits; ++i)
            set(i, other.get(i));
    }

private:
    std::array<Atomic<u64>, kLimits> current_, maximum_;
};

} // namespace tollgate

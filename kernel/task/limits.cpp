// The limits that init starts with.
#include "task/limits.h"

#include "mem/frames.h"

namespace tollgate {

Limits::Limits() {
    for (u32 i = 0; i < kLimits; ++i)
        set(i, {kUnlimited, kUnlimited});
    const auto initial = [this](Limit which, u64 current, u64 maximum) {
        set(static_cast<u32>(which), {current, maximum});
    };
    initial(Limit::Stack, 8 << 20, kUnlimited);
    initial(Limit::Core, 0, kUnlimited);
    initial(Limit::OpenFiles, 1024, 4096);
    initial(Limit::LockedMemory, 8 << 20, 8 << 20);
    initial(Limit::MessageQueues, 819200, 819200);
    initial(Limit::Nice, 0, 0);
    initial(Limit::RealTimePriority, 0, 0);
}

} // namespace tollgate

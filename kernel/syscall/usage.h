// struct rusage [linux/resource.h], as wait4, waitid and getrusage tell it.
#pragma once

#include "syscall/abi.h"
#include "task/usage.h"

namespace tollgate {

struct ResourceUsage {
    Timeval user_time, system_time;
    i64 max_resident; ///< KiB
    i64 shared_text, unshared_data, unshared_stack;
    i64 minor_faults, major_faults;
    i64 swaps, block_reads, block_writes, messages_sent, messages_received, signals;
    i64 voluntary_switches, involuntary_switches;
};
static_assert(sizeof(ResourceUsage) == 144);

struct ProcessTimes {
    u64 user, system, children_user, children_system;
}; // [linux/times.h, struct tms] in clock ticks
static_assert(sizeof(ProcessTimes) == 32);

inline ResourceUsage usage_for_user(const Usage& usage) {
    const auto time = [](u64 ns) {
        return Timeval{static_cast<i64>(ns / 1'000'000'000), static_cast<i64>(ns / 1000 % 1'000'000)};
    };
    ResourceUsage result{};
    result.user_time = time(usage.user_ns);
    result.system_time = time(usage.system_ns);
    result.max_resident = static_cast<i64>(usage.max_resident / 1024);
    result.minor_faults = static_cast<i64>(usage.minor_faults);
    result.major_faults = static_cast<i64>(usage.major_faults);
    result.voluntary_switches = static_cast<i64>(usage.voluntary_switches);
    result.involuntary_switches = static_cast<i64>(usage.involuntary_switches);
    return result;
}

} // namespace tollgate

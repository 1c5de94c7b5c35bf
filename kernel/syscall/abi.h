// Layouts and constants of Linux' x86-64 ABI that more than one file of this folder needs. Source: Linux' uapi headers,
// named at each.
#pragma once

#include "lib/types.h"

namespace tollgate {

struct Timespec {
    i64 seconds, nanoseconds;
}; // [linux/time_types.h]
static_assert(sizeof(Timespec) == 16);
struct Timeval {
    i64 seconds, microseconds;
}; // [linux/time.h]
struct Timezone {
    i32 minutes_west, daylight;
}; // [linux/time.h]
struct IntervalSetting {
    Timeval interval, value;
}; // [linux/time.h, struct itimerval]
struct TimerSpan {
    Timespec interval, value;
}; // [linux/time_types.h, struct itimerspec]
struct SignalEvent {
    u64 value;
    i32 signal, notify, thread;
    u8 pad[44];
}; // [asm-generic/siginfo.h, struct sigevent]
static_assert(sizeof(SignalEvent) == 64);
struct SchedulingAttributes { // [linux/sched/types.h, struct sched_attr], its first version
    u32 size, policy;
    u64 flags;
    i32 nice;
    u32 priority;
    u64 runtime, deadline, period;
};
static_assert(sizeof(SchedulingAttributes) == 48);
struct IoVector {
    u64 base, length;
}; // [linux/uio.h]
static_assert(sizeof(IoVector) == 16);
struct PollFile {
    i32 descriptor;
    i16 events, returned;
}; // [asm-generic/poll.h, struct pollfd]
static_assert(sizeof(PollFile) == 8);
struct SelectMask {
    u64 address, size;
}; // pselect6's last argument [man 2 select]
struct UnameText {
    char system[65], node[65], release[65], version[65], machine[65], domain[65];
}; // [linux/utsname.h]
static_assert(sizeof(UnameText) == 390);
struct CapabilityHeader {
    u32 version;
    i32 id;
}; // [linux/capability.h]
struct CapabilitySets {
    struct {
        u32 effective, permitted, inheritable;
    } half[2]; // capabilities 0 to 31, and 32 to 63
};
static_assert(sizeof(CapabilitySets) == 24);
struct SystemInfo { // [linux/sysinfo.h]
    i64 uptime;
    u64 loads[3], total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
    u16 processes, pad;
    u64 total_high, free_high;
    u32 unit, pad2;
};
static_assert(sizeof(SystemInfo) == 112);
inline constexpr i32 kAtCurrentDirectory = -100; // [linux/fcntl.h]
inline constexpr u32 kAtKeepLink = 0x100, kAtNoAutomount = 0x800, kAtEmptyPath = 0x1000;

} // namespace tollgate

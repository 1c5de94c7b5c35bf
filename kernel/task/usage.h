// What running has cost [man 2 getrusage]: of one thread, of a process, of its children that have been waited for.
#pragma once

#include "lib/types.h"

namespace tollgate {

struct Usage {
    u64 user_ns = 0, system_ns = 0;
    u64 minor_faults = 0, major_faults = 0;
    u64 voluntary_switches = 0, involuntary_switches = 0;
    u64 max_resident = 0; ///< bytes; of the largest, where several are added

    Usage& operator+=(const Usage& other) {
        user_ns += other.user_ns;
        system_ns += other.system_ns;
        minor_faults += other.minor_faults;
        major_faults += other.major_faults;
        voluntary_switches += other.voluntary_switches;
        involuntary_switches += other.involuntary_switches;
        max_resident = other.max_resident > max_resident ? other.max_resident : max_resident;
        return *this;
    }
};

} // namespace tollgate

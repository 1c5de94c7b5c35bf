// Who a process acts as [man 7 credentials]. Linux keeps this per thread and leaves it to libc to change all threads of
// a process; here it belongs to the process, so that libc's second and later changes find it done.
#pragma once

#include "lib/atomic.h"
#include "lib/types.h"

#include <array>

namespace tollgate {

/// A user or group id in its four roles. Readers take no lock: a process that asks while it changes itself gets either.
struct Identity {
    Atomic<u32> real{0}, effective{0}, saved{0};
    Atomic<u32> file{0}; ///< what file permissions are checked with; follows `effective` but for setfsuid(2)

    void copy_from(const Identity& other) {
        real.store(other.real.load(kRelaxed), kRelaxed);
        effective.store(other.effective.load(kRelaxed), kRelaxed);
        saved.store(other.saved.load(kRelaxed), kRelaxed);
        file.store(other.file.load(kRelaxed), kRelaxed);
    }
};

struct Credentials {
    static constexpr u32 kMaxGroups = 32; ///< supplementary groups; Linux has 65536

    Identity user, group;
    Atomic<u32> group_count{0};
    std::array<Atomic<u32>, kMaxGroups> groups{};

    /// Whether it may do what only root may: every capability follows the effective user.
    bool privileged() const { return user.effective.load(kRelaxed) == 0; }
    /// Whether file permissions of that group apply.
    bool in_group(u32 wanted) const {
        if (group.file.load(kRelaxed) == wanted)
            return true;
        const u32 count = group_count.load(kAcquire);
        for (u32 i = 0; i < count; ++i)
            if (groups[i].load(kRelaxed) == wanted)
                return true;
        return false;
    }
    void copy_from(const Credentials& other) {
        user.copy_from(other.user);
        group.copy_from(other.group);
        const u32 count = other.group_count.load(kAcquire);
        for (u32 i = 0; i < count; ++i)
            groups[i].store(other.groups[i].load(kRelaxed), kRelaxed);
        group_count.store(count, kRelease);
    }
};

} // namespace tollgate

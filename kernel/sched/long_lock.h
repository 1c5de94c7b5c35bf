// A lock that may be held across user copies and page faults, with interrupts on: for writers of one file, and for the
// position of an open one. The kernel is not preempted and no holder sleeps, so that a holder is always running on
// another CPU, or was switched away from while it waited itself; whoever waits gives the core away between two looks.
#pragma once

#include "sched/scheduler.h"

namespace tollgate {

class LongLock {
public:
    constexpr LongLock() = default;
    LongLock(const LongLock&) = delete;
    LongLock& operator=(const LongLock&) = delete;

private:
    friend class LongGuard;
    Atomic<u32> held_{0};
};

/// Holds a LongLock for a scope. Never take one under a Spinlock, nor two at once.
class LongGuard {
public:
    explicit LongGuard(LongLock& lock) : lock_(lock) {
        // Acquire pairs with the release below: what the last holder wrote is visible.
        while (lock_.held_.exchange(1, kAcquire) != 0)
            sched::yield();
    }
    ~LongGuard() { lock_.held_.store(0, kRelease); }
    LongGuard(const LongGuard&) = delete;
    LongGuard& operator=(const LongGuard&) = delete;

private:
    LongLock& lock_;
};

} // namespace tollgate

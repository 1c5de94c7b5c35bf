// A lock that may be held across user copies and page faults, which a Spinlock may not: for objects that move user data
// (writers of a file, the position of an open one, pipes, sockets, epoll instances). The kernel is not preempted and no
// holder sleeps on purpose: it runs on another CPU, or was switched away from in a page fault. Whoever finds it taken
// lets others run until it is free, so that locking cannot fail and is allowed in destructors; holders keep it for the
// length of one copy.
#pragma once

#include "lib/atomic.h"
#include "lib/types.h"
#include "sync/annotations.h"

namespace tollgate {

class CAPABILITY("mutex") Mutex {
public:
    constexpr Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

private:
    friend class MutexGuard;
    void lock_slowly();

    Atomic<u32> held_{0};
};

/// Holds a Mutex for a scope. No Spinlock may be held when it begins. Not for interrupt handlers.
class SCOPED_CAPABILITY MutexGuard {
public:
    explicit MutexGuard(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) {
        // Acquire pairs with the release below: what the last holder wrote is visible.
        if (mutex_.held_.exchange(1, kAcquire) != 0) [[unlikely]]
            mutex_.lock_slowly();
    }
    ~MutexGuard() RELEASE() { mutex_.held_.store(0, kRelease); }
    MutexGuard(const MutexGuard&) = delete;
    MutexGuard& operator=(const MutexGuard&) = delete;

private:
    Mutex& mutex_;
};

} // namespace tollgate

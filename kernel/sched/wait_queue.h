// Where threads wait for an event. wait() is called in a loop around the condition, as with a condition variable; the
// waker changes the condition, then wakes.
#pragma once

#include "lib/list.h"
#include "lib/result.h"
#include "sync/spinlock.h"

namespace tollgate {

class Thread;

/// Nanoseconds of monotonic time at which a wait gives up; kNoDeadline waits until woken or killed.
using Deadline = u64;
inline constexpr Deadline kNoDeadline = ~Deadline{0};

/// One thread's place in a WaitQueue; lives on its stack.
struct Waiter {
    explicit Waiter(Thread& waiting, u64 wait_key) : thread(waiting), key(wait_key) {}
    Thread& thread;
    u64 key; ///< what it waits for, where one queue serves many (futex addresses)
    bool woken = false;
    ListLink<Waiter> link;
};

class WaitQueue {
public:
    constexpr WaitQueue() = default;
    WaitQueue(const WaitQueue&) = delete;
    WaitQueue& operator=(const WaitQueue&) = delete;

    /// Blocks while condition() is true, which is asked under the queue's lock, so that no wake between test and sleep
    /// is lost. Errors: Errno::TimedOut after the deadline, Errno::Intr when the thread is being killed. Sleeps: no
    /// lock may be held.
    template <class Condition>
    Result<void> wait_while(Condition&& condition, Deadline deadline = kNoDeadline, u64 key = 0) {
        return wait_erased([](void* c) { return bool((*static_cast<std::remove_reference_t<Condition>*>(c))()); },
                           const_cast<void*>(static_cast<const volatile void*>(&condition)), deadline, key);
    }
    /// Wakes up to `most` waiters with this key, oldest first; returns how many.
    unsigned wake(unsigned most, u64 key = 0);
    unsigned wake_all(u64 key = 0) { return wake(~0u, key); }
    /// Like wake_all, for every key.
    void wake_everything();

private:
    Result<void> wait_erased(bool (*condition)(void*), void* context, Deadline deadline, u64 key);

    Spinlock lock_{LockRank::WaitQueue};
    List<Waiter, &Waiter::link> waiters_ GUARDED_BY(lock_);
};

} // namespace tollgate

// Where threads wait for an event. wait() is called in a loop around the condition, as with a condition variable; the
// waker changes the condition, then wakes.
#pragma once

#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/result.h"
#include "sync/spinlock.h"

namespace tollgate {

class Thread;

/// Nanoseconds of monotonic time at which a wait gives up; kNoDeadline waits until woken or killed.
using Deadline = u64;
inline constexpr Deadline kNoDeadline = ~Deadline{0};

/// What ends a wait besides its wake and its deadline: any pending signal, or only the thread's end, or nothing.
enum class WaitMode : u8 { Interruptible, Killable, Uninterruptible };

/// Hears of every wake of the queues it is on, for those who wait for several at once. notify() runs under the queue's
/// lock: it may set its own memory and wake a queue of a higher rank (LockRank::Watcher, LockRank::Poller). `key` is
/// the wake's: of a file's ready_queue() it is the kPoll* that may have become true, or 0 for any.
struct Watch {
    void (*notify)(Watch&, u64 key);
    ListLink<Watch> link;
};

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
    constexpr explicit WaitQueue(LockRank rank = LockRank::WaitQueue) : lock_(rank) {}
    WaitQueue(const WaitQueue&) = delete;
    WaitQueue& operator=(const WaitQueue&) = delete;

    /// Blocks while condition() is true, which is asked under the queue's lock, so that no wake between test and sleep
    /// is lost. Errors: Errno::TimedOut after the deadline, Errno::RestartSys when a signal is pending or the thread is
    /// being killed. Sleeps: no lock may be held.
    template <class Condition>
    Result<void> wait_while(Condition&& condition, Deadline deadline = kNoDeadline, u64 key = 0,
                            WaitMode mode = WaitMode::Interruptible) {
        return wait_erased([](void* c) { return bool((*static_cast<std::remove_reference_t<Condition>*>(c))()); },
                           const_cast<void*>(static_cast<const volatile void*>(&condition)), deadline, key, mode);
    }
    /// Adds a watch, which must be taken off again before it or the queue goes.
    void watch(Watch& watch);
    void unwatch(Watch& watch);
    /// Wakes up to `most` waiters with this key, oldest first; returns how many. Costs a fence and a load if there is
    /// nobody.
    unsigned wake(unsigned most, u64 key = 0) { return anybody() ? wake_some(most, key) : 0; }
    unsigned wake_all(u64 key = 0) { return wake(~0u, key); }
    /// Like wake_all, for every key.
    void wake_everything() {
        if (anybody())
            wake_every_key();
    }
    /// Whether somebody waits or watches. Whoever comes after this looked finds what the caller wrote before: a waiter
    /// counts itself, then tests its condition; the waker writes the condition, then looks here; with a full fence on
    /// either side one of them sees the other.
    bool anybody() const {
        std::atomic_thread_fence(kSeqCst);
        return interested_.load(kRelaxed) != 0;
    }

private:
    class Interest;
    Result<void> wait_erased(bool (*condition)(void*), void* context, Deadline deadline, u64 key, WaitMode mode);
    unsigned wake_some(unsigned most, u64 key);
    void wake_every_key();
    void notify_locked(u64 key) REQUIRES(lock_);

    Spinlock lock_;
    Atomic<u32> interested_{0}; // watches, and threads from before they test their condition
    List<Waiter, &Waiter::link> waiters_ GUARDED_BY(lock_);
    List<Watch, &Watch::link> watches_ GUARDED_BY(lock_);
};

} // namespace tollgate

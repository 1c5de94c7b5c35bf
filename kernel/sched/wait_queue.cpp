// A waiter is on the queue from before it blocks until it, or a waker, takes it off under the lock. Whether a wake or
// the deadline came first is decided by one compare-and-exchange of the thread's state, so that the timer never touches
// the queue.
#include "sched/wait_queue.h"

#include "sched/scheduler.h"
#include "sched/scheduler_internal.h"

namespace tollgate {
namespace {

/// The call is given up for a signal, which is looked at on the way out even if the interrupt that says so has not come
/// yet: RestartSys must not reach user code.
std::unexpected<Errno> interrupted() {
    cpu_request_work(kWorkThread);
    return fail(Errno::RestartSys);
}

} // namespace

/// A thread's count in interested_.
class WaitQueue::Interest {
public:
    explicit Interest(WaitQueue& queue) : queue_(queue) {
        queue_.interested_.fetch_add(1, kSeqCst); // before the condition is tested: see anybody()
    }
    ~Interest() { queue_.interested_.fetch_sub(1, kRelaxed); }
    Interest(const Interest&) = delete;
    Interest& operator=(const Interest&) = delete;

private:
    WaitQueue& queue_;
};

Result<void> WaitQueue::wait_erased(bool (*condition)(void*), void* context, Deadline deadline, u64 key,
                                    WaitMode mode) {
    Thread& self = sched::current();
    Waiter waiter{self, key};
    Interest interest(*this);
    for (;;) {
        {
            Guard guard{lock_};
            if (!condition(context))
                return {};
            if (self.wait_is_over(mode))
                return interrupted();
            waiters_.push_back(waiter);
            Scheduler::prepare_to_block(self, deadline, mode);
        }
        Scheduler::block();
        bool woken;
        {
            Guard guard{lock_};
            woken = !waiter.link.linked();
            if (!woken)
                waiters_.remove(waiter);
            else if (!condition(context))
                return {};
        }
        if (woken)
            continue; // somebody else was faster: the condition holds again
        if (self.wait_is_over(mode))
            return interrupted();
        if (Scheduler::timed_out(self)) {
            Guard guard{lock_};
            if (!condition(context))
                return {};
            return fail(Errno::TimedOut);
        }
    }
}

unsigned WaitQueue::wake_some(unsigned most, u64 key) {
    unsigned woken = 0;
    Guard guard{lock_};
    notify_locked(key);
    for (Waiter& waiter : waiters_) {
        if (woken == most)
            break;
        if (waiter.key != key)
            continue;
        waiters_.remove(waiter);
        // The thread cannot leave wait_erased() before we release the lock, so it is still there.
        if (Scheduler::make_ready(waiter.thread))
            ++woken;
    }
    return woken;
}

void WaitQueue::watch(Watch& watch) {
    interested_.fetch_add(1, kSeqCst); // the watcher looks at what it watches after this
    Guard guard{lock_};
    watches_.push_back(watch);
}

void WaitQueue::unwatch(Watch& watch) {
    Guard guard{lock_};
    watches_.remove(watch);
    interested_.fetch_sub(1, kRelaxed);
}

void WaitQueue::notify_locked(u64 key) {
    for (Watch& watch : watches_)
        watch.notify(watch, key);
}

void WaitQueue::wake_every_key() {
    Guard guard{lock_};
    notify_locked(0);
    for (Waiter& waiter : waiters_) {
        waiters_.remove(waiter);
        (void)Scheduler::make_ready(waiter.thread);
    }
}

} // namespace tollgate

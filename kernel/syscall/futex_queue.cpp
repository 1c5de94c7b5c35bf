// No wake is lost, since a waiter first puts itself on the list and then reads the word: whoever changes the word
// before that read is seen by it, and whoever changes it after finds the waiter on the list. A wake that arrives
// although the word has changed counts as the waiter's own, which futex(2) allows. A list's lock is never held while
// user memory is read.
#include "syscall/futex_queue.h"

#include "cpu/user_copy.h"
#include "lib/atomic.h"
#include "sched/scheduler_internal.h"

namespace tollgate::futex {
namespace {

struct Bucket;

struct Waiter {
    Waiter(Thread& thread_, const Key& key_, u32 bits_) : thread(thread_), key(key_), bits(bits_) {}
    Thread& thread;
    Key key; // with `bucket`, changed by requeue() under both buckets' locks
    const u32 bits;
    Atomic<Bucket*> bucket{nullptr};
    Atomic<bool> woken{false};
    ListLink<Waiter> link;
};

struct Bucket {
    Spinlock lock{LockRank::Futex};
    List<Waiter, &Waiter::link> waiters GUARDED_BY(lock);
    Atomic<u32> count{0}; // of waiters; changed under the lock, read without

    void add(Waiter& waiter) REQUIRES(lock) {
        waiter.bucket.store(this, kRelaxed);
        waiters.push_back(waiter);
        count.fetch_add(1, kSeqCst); // before the word is read, see wake()
    }
    void remove(Waiter& waiter) REQUIRES(lock) {
        waiters.remove(waiter);
        count.fetch_sub(1, kRelaxed);
    }
    /// The waiter's memory lasts: before it leaves it takes the lock that we hold.
    void wake(Waiter& waiter) REQUIRES(lock) {
        remove(waiter);
        // seq_cst against wait(): either it sees the flag and does not sleep, or it is Blocked already.
        waiter.woken.store(true, kSeqCst);
        (void)Scheduler::make_ready(waiter.thread);
    }
};
constexpr unsigned kBucketBits = 8;
constinit Bucket buckets[1 << kBucketBits]; // global: a futex has no object of its own

Bucket& bucket_of(const Key& key) {
    const u64 hash = ((key.offset >> 2) ^ (reinterpret_cast<u64>(key.owner) >> 6)) * 0x9e3779b97f4a7c15;
    return buckets[hash >> (64 - kBucketBits)];
}

/// Takes a waiter off its list; false if it has been woken already.
bool withdraw(Waiter& waiter) {
    for (;;) {
        Bucket& bucket = *waiter.bucket.load(kAcquire);
        Guard guard{bucket.lock};
        if (waiter.bucket.load(kRelaxed) != &bucket)
            continue; // it has just been moved
        if (waiter.woken.load(kRelaxed))
            return false;
        bucket.remove(waiter);
        return true;
    }
}

} // namespace

Result<u64> wait(const Key& key, u64 address, u32 expected, u32 bits, Deadline deadline) {
    Thread& self = sched::current();
    Waiter waiter(self, key, bits);
    {
        Bucket& bucket = bucket_of(key);
        Guard guard{bucket.lock};
        bucket.add(waiter);
    }
    u32 value = 0;
    const bool fault = user_load32(reinterpret_cast<const u32*>(address), &value) != 0;
    if (fault || value != expected) {
        if (!withdraw(waiter) && !fault)
            return 0;
        return fail(fault ? Errno::Fault : Errno::Again);
    }
    Scheduler::prepare_to_block(self, deadline, WaitMode::Interruptible);
    if (waiter.woken.load(kSeqCst))
        Scheduler::cancel_block();
    else
        Scheduler::block();
    if (!withdraw(waiter))
        return 0;
    if (self.wait_is_over(WaitMode::Interruptible))
        return fail(Errno::RestartSys);
    return fail(Scheduler::timed_out(self) ? Errno::TimedOut : Errno::RestartSys);
}

unsigned wake(const Key& key, unsigned most, u32 bits) {
    Bucket& bucket = bucket_of(key);
    // The caller's change of the word comes before this read, and the waiter's count before its read of the word:
    // either we see the waiter, or it sees the change.
    std::atomic_thread_fence(kSeqCst);
    if (bucket.count.load(kRelaxed) == 0)
        return 0;
    unsigned count = 0;
    Guard guard{bucket.lock};
    for (Waiter& waiter : bucket.waiters) {
        if (count == most)
            break;
        if (waiter.key != key || !(waiter.bits & bits))
            continue;
        bucket.wake(waiter);
        ++count;
    }
    return count;
}

// The two locks may be one, which the analysis cannot follow.
Requeued requeue(const Key& from, const Key& to, unsigned most_woken, unsigned most_moved) NO_THREAD_SAFETY_ANALYSIS {
    Bucket& source = bucket_of(from);
    Bucket& target = bucket_of(to);
    Requeued done;
    PairGuard guard{source.lock, target.lock};
    for (Waiter& waiter : source.waiters) {
        if (waiter.key != from)
            continue;
        if (done.woken < most_woken) {
            source.wake(waiter);
            ++done.woken;
        } else if (done.moved < most_moved) {
            source.remove(waiter);
            waiter.key = to;
            target.add(waiter);
            ++done.moved;
        } else {
            break;
        }
    }
    return done;
}

} // namespace tollgate::futex

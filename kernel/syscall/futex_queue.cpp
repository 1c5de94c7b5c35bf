// No wake is lost, since a waiter first puts itself on the list and then reads the word: whoever changes the word
// before that read is seen by it, and whoever changes it after finds the waiter on the list. A wake that arrives
// although the word has changed counts as the waiter's own, which futex(2) allows. A list's lock is never held while
// user memory is read.
#include "syscall/futex_queue.h"

#include "cpu/user_words.h"
#include "lib/atomic.h"
#include "sched/scheduler_internal.h"

namespace tollgate::futex {
namespace {

struct Bucket;

struct Waiter {
    Waiter(Thread& thread_, Key key_, u32 bits_) : thread(thread_), key(key_), bits(bits_) {}
    Thread& thread;
    Key key; // with `bucket`, changed by requeue() under both buckets' locks
    const u32 bits;
    Atomic<Bucket*> bucket{nullptr};
    Atomic<bool> woken{false};
    ListLink<Waiter> link;
};

struct alignas(64) Bucket {
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
        count.store(count.load(kRelaxed) - 1, kRelaxed);
    }
    /// The waiter's memory lasts: before it leaves it sees that we hold the lock no more.
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
    Bucket* bucket = &buckets[hash >> (64 - kBucketBits)];
    asm("" : "+r"(bucket)); // its address is computed once, and not anew for every field
    return *bucket;
}

/// Whether a waiter has been woken, and is left alone by its waker: that one held the lock when it set the flag, so if
/// the lock is free at any time after, the waker is through.
bool is_done(const Waiter& waiter) {
    return waiter.woken.load(kAcquire) && !waiter.bucket.load(kRelaxed)->lock.is_held();
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

Result<u64> wait(Key key, u64 address, u32 expected, u32 bits, Deadline deadline) {
    Thread& self = sched::current();
    Waiter waiter(self, key, bits);
    {
        Bucket& bucket = bucket_of(key);
        Guard guard{bucket.lock};
        bucket.add(waiter);
    }
    u32 value;
    bool fault = false;
    {
        UserAccess access;
        user_get(value, reinterpret_cast<const u32*>(address), fault);
    }
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
    if (is_done(waiter) || !withdraw(waiter)) [[likely]]
        return 0;
    if (self.wait_is_over(WaitMode::Interruptible))
        return fail(Errno::RestartSys);
    return fail(Scheduler::timed_out(self) ? Errno::TimedOut : Errno::RestartSys);
}

unsigned wake(Key key, unsigned most, u32 bits) {
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
        if (waiter.key.offset != key.offset || waiter.key.owner != key.owner || !(waiter.bits & bits))
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

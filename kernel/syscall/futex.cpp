// Futexes: threads that wait at an address of an address space. A hash of lists, each with a lock.
//
// No wake is lost, since a waiter first puts itself on the list and then reads the word: whoever changes the word
// before that read is seen by it, and whoever changes it after finds the waiter on the list. A wake that arrives
// although the word has changed counts as the waiter's own, which futex(2) allows. The list's lock is never held while
// user memory is read.
#include "syscall/futex.h"

#include "lib/atomic.h"
#include "syscall/handlers.h"
#include "syscall/time.h"

namespace tollgate {
namespace {

struct FutexWaiter {
    FutexWaiter(const AddressSpace& space_, u64 address_, u32 bits_) : space(&space_), address(address_), bits(bits_) {}
    const AddressSpace* const space;
    const u64 address;
    const u32 bits;
    Atomic<bool> woken{false}; // set under the bucket's lock; the waiter's condition reads it under the queue's
    WaitQueue queue;           // of this one thread
    ListLink<FutexWaiter> link;
};

struct Bucket {
    Spinlock lock{LockRank::Futex};
    List<FutexWaiter, &FutexWaiter::link> waiters GUARDED_BY(lock);
};
constinit Bucket buckets[64]; // global: a futex has no object of its own; the key names its space

Bucket& bucket_for(const AddressSpace& space, u64 address) {
    const u64 hash = ((address >> 2) ^ (reinterpret_cast<u64>(&space) >> 6)) * 0x9e3779b97f4a7c15;
    return buckets[hash >> 58];
}

unsigned wake(const AddressSpace& space, u64 address, unsigned most, u32 bits) {
    Bucket& bucket = bucket_for(space, address);
    unsigned count = 0;
    Guard guard{bucket.lock};
    for (FutexWaiter& waiter : bucket.waiters) {
        if (count == most)
            break;
        if (waiter.space != &space || waiter.address != address || !(waiter.bits & bits))
            continue;
        bucket.waiters.remove(waiter);
        // The waiter's memory lasts: before it leaves it takes the lock that we hold.
        // Relaxed, here and below: the two locks order it.
        waiter.woken.store(true, kRelaxed);
        waiter.queue.wake_all();
        ++count;
    }
    return count;
}

/// Takes a waiter off its list; false if it has been woken already.
bool withdraw(Bucket& bucket, FutexWaiter& waiter) {
    Guard guard{bucket.lock};
    if (waiter.woken.load(kRelaxed))
        return false;
    bucket.waiters.remove(waiter);
    return true;
}

Result<u64> wait(const AddressSpace& space, u64 address, u32 expected, u32 bits, Deadline deadline) {
    FutexWaiter waiter(space, address, bits);
    Bucket& bucket = bucket_for(space, address);
    {
        Guard guard{bucket.lock};
        bucket.waiters.push_back(waiter);
    }
    const auto value = copy_from_user(UserPtr<const u32>(address));
    if (!value || *value != expected) {
        if (!withdraw(bucket, waiter) && value)
            return 0;
        return fail(value ? Errno::Again : value.error());
    }
    const auto waited = waiter.queue.wait_while([&] { return !waiter.woken.load(kRelaxed); }, deadline);
    if (!withdraw(bucket, waiter) || waited)
        return 0;
    return fail(waited.error());
}

/// The deadline of a wait: none, from now (FUTEX_WAIT), or at a time of a clock (FUTEX_WAIT_BITSET).
Result<Deadline> deadline_of(UserPtr<const Timespec> timeout, bool absolute, bool wall_clock) {
    if (timeout.is_null())
        return kNoDeadline;
    const u64 ns = TRY(to_nanoseconds(TRY(copy_from_user(timeout))));
    return absolute ? deadline_at(ns, wall_clock) : deadline_after(ns);
}

} // namespace

void futex_wake_one(Caller& caller, u64 address) { wake(*caller.space, address, 1, ~0u); }

Result<u64> sys_futex(Caller& caller, u64 address, u32 operation, u32 value, u64 timeout_or_count,
                      u64 /*second_address*/, u32 value3) {
    // [linux/futex.h]
    constexpr u32 kWait = 0, kWake = 1, kWaitBits = 9, kWakeBits = 10, kPrivate = 128, kRealtime = 256;
    // Shared futexes are looked up like private ones: no memory is shared between address spaces yet.
    const u32 command = operation & ~(kPrivate | kRealtime);
    const bool bitset = command == kWaitBits || command == kWakeBits;
    const u32 bits = bitset ? value3 : ~0u;
    switch (command) {
    case kWait:
    case kWaitBits: {
        if (address % sizeof(u32) != 0 || bits == 0 || (command == kWait && (operation & kRealtime)))
            return fail(Errno::Inval);
        TRY(check_user_range(address, sizeof(u32)));
        const Deadline deadline =
            TRY(deadline_of(UserPtr<const Timespec>(timeout_or_count), bitset, operation & kRealtime));
        return wait(*caller.space, address, value, bits, deadline);
    }
    case kWake:
    case kWakeBits:
        if (address % sizeof(u32) != 0 || bits == 0)
            return fail(Errno::Inval);
        TRY(check_user_range(address, sizeof(u32)));
        return wake(*caller.space, address, value, bits);
    default:
        return fail(Errno::NoSys); // requeueing and priority inheritance: glibc does without
    }
}

} // namespace tollgate

// Read-write locks and spin locks. As glibc's default, readers come in while others read even if a writer waits, so
// that a thread may take a read lock twice.
#include <cerrno>

#include "userland/lib/flexsc_threads/mutex.h"

namespace tollgate::threads {
namespace {

struct RwLock {
    unsigned readers;
    Thread* writer;
    Queue waiting;
};
static_assert(sizeof(RwLock) <= sizeof(pthread_rwlock_t));
RwLock& of(pthread_rwlock_t* lock) { return *reinterpret_cast<RwLock*>(lock); }

enum class Wish : bool { Read, Write };

bool take(RwLock& lock, Wish wish) {
    if (lock.writer != nullptr || (wish == Wish::Write && lock.readers != 0))
        return false;
    if (wish == Wish::Write)
        lock.writer = self;
    else
        ++lock.readers;
    return true;
}

int acquire(RwLock& lock, Wish wish, const std::uint64_t* deadline) {
    if (self == nullptr)
        return EPERM;
    {
        Guard guard(&lock);
        if (take(lock, wish))
            return 0;
        if (lock.writer == self)
            return EDEADLK;
        self->wants_write = wish == Wish::Write;
        enqueue(lock.waiting, *self);
    }
    return wait_in_queue(lock.waiting, &lock, deadline) ? 0 : ETIMEDOUT;
}

int try_acquire(RwLock& lock, Wish wish) {
    Guard guard(&lock);
    return take(lock, wish) ? 0 : EBUSY;
}

int acquire_until(RwLock& lock, Wish wish, clockid_t clock, const timespec* time) {
    if (try_acquire(lock, wish) == 0)
        return 0;
    if (!valid(*time) || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
        return EINVAL;
    const std::uint64_t deadline = deadline_of(clock, *time);
    return acquire(lock, wish, &deadline);
}

/// Hands the lock to the writer that waits first, or to the readers before the next writer.
void hand_on(RwLock& lock) {
    while (Thread* const next = lock.waiting.head) {
        if (next->wants_write ? lock.readers != 0 || lock.writer != nullptr : lock.writer != nullptr)
            return;
        if (next->wants_write)
            lock.writer = next;
        else
            ++lock.readers;
        make_ready(*dequeue(lock.waiting));
    }
}

} // namespace

extern "C" {

int pthread_rwlock_init(pthread_rwlock_t* lock, const pthread_rwlockattr_t* attributes) {
    int shared = PTHREAD_PROCESS_PRIVATE;
    if (attributes != nullptr)
        pthread_rwlockattr_getpshared(attributes, &shared);
    if (shared != PTHREAD_PROCESS_PRIVATE)
        return ENOTSUP;
    of(lock) = {};
    return 0;
}
int pthread_rwlock_destroy(pthread_rwlock_t* lock) {
    return of(lock).writer != nullptr || of(lock).readers != 0 ? EBUSY : 0;
}

int pthread_rwlock_rdlock(pthread_rwlock_t* lock) { return acquire(of(lock), Wish::Read, nullptr); }
int pthread_rwlock_wrlock(pthread_rwlock_t* lock) { return acquire(of(lock), Wish::Write, nullptr); }
int pthread_rwlock_tryrdlock(pthread_rwlock_t* lock) { return try_acquire(of(lock), Wish::Read); }
int pthread_rwlock_trywrlock(pthread_rwlock_t* lock) { return try_acquire(of(lock), Wish::Write); }
int pthread_rwlock_clockrdlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* time) {
    return acquire_until(of(lock), Wish::Read, clock, time);
}
int pthread_rwlock_clockwrlock(pthread_rwlock_t* lock, clockid_t clock, const timespec* time) {
    return acquire_until(of(lock), Wish::Write, clock, time);
}
int pthread_rwlock_timedrdlock(pthread_rwlock_t* lock, const timespec* time) {
    return acquire_until(of(lock), Wish::Read, CLOCK_REALTIME, time);
}
int pthread_rwlock_timedwrlock(pthread_rwlock_t* lock, const timespec* time) {
    return acquire_until(of(lock), Wish::Write, CLOCK_REALTIME, time);
}

int pthread_rwlock_unlock(pthread_rwlock_t* handle) {
    RwLock& lock = of(handle);
    Guard guard(&lock);
    if (lock.writer != nullptr) {
        if (lock.writer != self)
            return EPERM;
        lock.writer = nullptr;
    } else if (lock.readers == 0) {
        return EPERM;
    } else {
        --lock.readers;
    }
    hand_on(lock);
    return 0;
}

// --- spin locks: whoever holds one may have been switched away, so spinning is yielding
int pthread_spin_init(pthread_spinlock_t* lock, int) {
    __atomic_store_n(lock, 0, __ATOMIC_RELAXED);
    return 0;
}
int pthread_spin_destroy(pthread_spinlock_t*) { return 0; }
int pthread_spin_trylock(pthread_spinlock_t* lock) {
    return __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) != 0 ? EBUSY : 0;
}
int pthread_spin_lock(pthread_spinlock_t* lock) {
    while (pthread_spin_trylock(lock) != 0)
        yield();
    return 0;
}
int pthread_spin_unlock(pthread_spinlock_t* lock) {
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
    return 0;
}

} // extern "C"

} // namespace tollgate::threads

// Mutexes: normal, recursive, error-checking; timed. Fair: an unlock hands the mutex to the thread that has waited
// longest.
#include "userland/lib/flexsc_threads/mutex.h"

#include <cerrno>

namespace tollgate::threads {
namespace {

/// A foreign kernel thread has no name to own by, and cannot sleep here.
Thread* me_or_foreign() {
    static constinit Thread foreign{};
    return self != nullptr ? self : &foreign;
}

bool try_acquire(Mutex& mutex) {
    unsigned free = 0;
    if (!mutex.state.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed))
        return false;
    mutex.owner.store(me_or_foreign(), std::memory_order_relaxed);
    return true;
}

/// The kinds that ask who holds it. EBUSY: nobody of interest.
int check_owner(Mutex& mutex, bool try_only) {
    const int kind = mutex.kind & 3;
    if (kind != PTHREAD_MUTEX_RECURSIVE && kind != PTHREAD_MUTEX_ERRORCHECK)
        return EBUSY;
    if (mutex.state.load(std::memory_order_relaxed) == 0 ||
        mutex.owner.load(std::memory_order_relaxed) != me_or_foreign())
        return EBUSY;
    if (kind == PTHREAD_MUTEX_ERRORCHECK)
        return try_only ? EBUSY : EDEADLK;
    if (mutex.count == ~0u)
        return EAGAIN;
    ++mutex.count;
    return 0;
}

int lock(Mutex& mutex, const std::uint64_t* deadline) {
    if (try_acquire(mutex))
        return 0;
    const int owned = check_owner(mutex, false);
    return owned == EBUSY ? acquire(mutex, deadline) : owned;
}

} // namespace

int acquire(Mutex& mutex, const std::uint64_t* deadline) {
    if (self == nullptr) {
        while (!try_acquire(mutex))
            yield();
        return 0;
    }
    Thread& me = *self;
    {
        Guard guard(&mutex);
        if (mutex.state.exchange(2, std::memory_order_acquire) == 0) {
            mutex.state.store(1, std::memory_order_relaxed); // nobody waits: else it would not be free
            mutex.owner.store(&me, std::memory_order_relaxed);
            return 0;
        }
        enqueue(mutex.waiting, me);
    }
    if (wait_in_queue(mutex.waiting, &mutex, deadline))
        return 0;     // release() has made us the owner
    return ETIMEDOUT; // state may stay 2 with an empty queue, which release() bears
}

void release(Mutex& mutex) {
    mutex.owner.store(nullptr, std::memory_order_relaxed);
    unsigned held = 1;
    if (mutex.state.compare_exchange_strong(held, 0, std::memory_order_release, std::memory_order_relaxed))
        return;
    Thread* next;
    {
        Guard guard(&mutex);
        next = mutex.waiting.head;
        mutex.owner.store(next, std::memory_order_relaxed);
        if (next == nullptr)
            mutex.state.store(0, std::memory_order_release);
        else
            (void)dequeue(mutex.waiting);
    }
    if (next != nullptr)
        make_ready(*next);
}

extern "C" {

int pthread_mutex_init(pthread_mutex_t* mutex, const pthread_mutexattr_t* attributes) {
    int kind = PTHREAD_MUTEX_DEFAULT, shared = PTHREAD_PROCESS_PRIVATE, robust = PTHREAD_MUTEX_STALLED,
        protocol = PTHREAD_PRIO_NONE;
    if (attributes != nullptr) {
        pthread_mutexattr_gettype(attributes, &kind);
        pthread_mutexattr_getpshared(attributes, &shared);
        pthread_mutexattr_getrobust(attributes, &robust);
        pthread_mutexattr_getprotocol(attributes, &protocol);
    }
    if (shared != PTHREAD_PROCESS_PRIVATE || robust != PTHREAD_MUTEX_STALLED || protocol != PTHREAD_PRIO_NONE)
        return ENOTSUP;
    __builtin_memset(mutex, 0, sizeof *mutex);
    of(mutex).kind = kind;
    return 0;
}

int pthread_mutex_destroy(pthread_mutex_t* mutex) {
    return of(mutex).state.load(std::memory_order_relaxed) != 0 ? EBUSY : 0;
}

int pthread_mutex_lock(pthread_mutex_t* mutex) { return lock(of(mutex), nullptr); }

int pthread_mutex_trylock(pthread_mutex_t* mutex) { return try_acquire(of(mutex)) ? 0 : check_owner(of(mutex), true); }

int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* time) {
    if (try_acquire(of(mutex)))
        return 0;
    if (!valid(*time) || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
        return EINVAL;
    const std::uint64_t deadline = deadline_of(clock, *time);
    return lock(of(mutex), &deadline);
}
int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* time) {
    return pthread_mutex_clocklock(mutex, CLOCK_REALTIME, time);
}

int pthread_mutex_unlock(pthread_mutex_t* handle) {
    Mutex& mutex = of(handle);
    const int kind = mutex.kind & 3;
    if (kind == PTHREAD_MUTEX_RECURSIVE || kind == PTHREAD_MUTEX_ERRORCHECK) {
        if (mutex.state.load(std::memory_order_relaxed) == 0 ||
            mutex.owner.load(std::memory_order_relaxed) != me_or_foreign())
            return EPERM;
        if (mutex.count != 0) {
            --mutex.count;
            return 0;
        }
    }
    release(mutex);
    return 0;
}

/// Robust mutexes cannot be made, so that none can be inconsistent; nor can those with priorities.
int pthread_mutex_consistent(pthread_mutex_t*) { return EINVAL; }
int pthread_mutex_setprioceiling(pthread_mutex_t*, int, int*) { return EINVAL; }
int pthread_mutex_getprioceiling(const pthread_mutex_t*, int*) { return EINVAL; }

} // extern "C"

} // namespace tollgate::threads

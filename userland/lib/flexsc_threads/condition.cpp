// Condition variables, and barriers, which are one and a count.
#include <cerrno>

#include "userland/lib/flexsc_threads/mutex.h"

namespace tollgate::threads {
namespace {

struct Condition {
    Queue waiting;
    clockid_t clock; ///< of pthread_cond_timedwait(); 0 is CLOCK_REALTIME
};
static_assert(sizeof(Condition) <= sizeof(pthread_cond_t));
Condition& of(pthread_cond_t* condition) { return *reinterpret_cast<Condition*>(condition); }

struct Barrier {
    unsigned count, arrived;
    Queue waiting;
};
static_assert(sizeof(Barrier) <= sizeof(pthread_barrier_t));
Barrier& of(pthread_barrier_t* barrier) { return *reinterpret_cast<Barrier*>(barrier); }

int wait(Condition& condition, pthread_mutex_t* handle, const std::uint64_t* deadline) {
    if (self == nullptr)
        return EPERM; // a kernel thread that is none of ours cannot wait here
    Mutex& mutex = threads::of(handle);
    if ((mutex.kind & 3) == PTHREAD_MUTEX_ERRORCHECK && mutex.owner.load(std::memory_order_relaxed) != self)
        return EPERM;
    {
        Guard guard(&condition);
        enqueue(condition.waiting, *self);
    }
    const unsigned count = mutex.count;
    mutex.count = 0;
    release(mutex);
    const bool woken = wait_in_queue(condition.waiting, &condition, deadline);
    pthread_mutex_lock(handle);
    mutex.count = count;
    return woken ? 0 : ETIMEDOUT;
}

/// Wakes all that wait, under the guard: once a thread is out of the queue, nothing holds it back.
void wake_all(Queue& queue, const void* object) {
    Guard guard(object);
    while (Thread* const thread = dequeue(queue))
        make_ready(*thread);
}

} // namespace

extern "C" {

int pthread_cond_init(pthread_cond_t* condition, const pthread_condattr_t* attributes) {
    clockid_t clock = CLOCK_REALTIME;
    int shared = PTHREAD_PROCESS_PRIVATE;
    if (attributes != nullptr) {
        pthread_condattr_getclock(attributes, &clock);
        pthread_condattr_getpshared(attributes, &shared);
    }
    if (shared != PTHREAD_PROCESS_PRIVATE)
        return ENOTSUP;
    of(condition) = {.waiting = {}, .clock = clock};
    return 0;
}

int pthread_cond_destroy(pthread_cond_t*) { return 0; }

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) { return wait(of(condition), mutex, nullptr); }

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* time) {
    if (!valid(*time) || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
        return EINVAL;
    const std::uint64_t deadline = deadline_of(clock, *time);
    return wait(of(condition), mutex, &deadline);
}
int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* time) {
    return pthread_cond_clockwait(condition, mutex, of(condition).clock, time);
}

int pthread_cond_signal(pthread_cond_t* condition) {
    Thread* thread;
    {
        Guard guard(condition);
        thread = dequeue(of(condition).waiting);
    }
    if (thread != nullptr)
        make_ready(*thread);
    return 0;
}
int pthread_cond_broadcast(pthread_cond_t* condition) {
    wake_all(of(condition).waiting, condition);
    return 0;
}

int pthread_barrier_init(pthread_barrier_t* barrier, const pthread_barrierattr_t* attributes, unsigned count) {
    int shared = PTHREAD_PROCESS_PRIVATE;
    if (attributes != nullptr)
        pthread_barrierattr_getpshared(attributes, &shared);
    if (count == 0)
        return EINVAL;
    if (shared != PTHREAD_PROCESS_PRIVATE)
        return ENOTSUP;
    of(barrier) = {.count = count, .arrived = 0, .waiting = {}};
    return 0;
}
int pthread_barrier_destroy(pthread_barrier_t* barrier) { return of(barrier).arrived != 0 ? EBUSY : 0; }

int pthread_barrier_wait(pthread_barrier_t* handle) {
    Barrier& barrier = of(handle);
    if (self == nullptr)
        return EPERM;
    bool last;
    {
        Guard guard(&barrier);
        last = ++barrier.arrived == barrier.count;
        if (last)
            barrier.arrived = 0;
        else
            enqueue(barrier.waiting, *self);
    }
    if (!last) {
        (void)wait_in_queue(barrier.waiting, &barrier, nullptr);
        return 0;
    }
    wake_all(barrier.waiting, &barrier);
    return PTHREAD_BARRIER_SERIAL_THREAD;
}

} // extern "C"

} // namespace tollgate::threads

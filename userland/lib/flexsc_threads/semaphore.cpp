// Unnamed semaphores of one process. Named ones and shared ones are not supported: ENOSYS.
#include <cerrno>
#include <climits>
#include <semaphore.h>

#include "userland/lib/flexsc_threads/mutex.h"

namespace tollgate::threads {
namespace {

struct Semaphore {
    std::atomic<unsigned> value;
    Queue waiting;
};
static_assert(sizeof(Semaphore) <= sizeof(sem_t));
Semaphore& of(sem_t* semaphore) { return *reinterpret_cast<Semaphore*>(semaphore); }

int fail(int error) {
    errno = error;
    return -1;
}

bool try_take(Semaphore& semaphore) {
    unsigned value = semaphore.value.load(std::memory_order_relaxed);
    while (value != 0)
        if (semaphore.value.compare_exchange_weak(value, value - 1, std::memory_order_acquire,
                                                  std::memory_order_relaxed))
            return true;
    return false;
}

int take(Semaphore& semaphore, const std::uint64_t* deadline) {
    if (self == nullptr) {
        while (!try_take(semaphore))
            yield();
        return 0;
    }
    {
        Guard guard(&semaphore);
        if (try_take(semaphore))
            return 0;
        enqueue(semaphore.waiting, *self);
    }
    return wait_in_queue(semaphore.waiting, &semaphore, deadline) ? 0 : fail(ETIMEDOUT);
}

} // namespace

extern "C" {

int sem_init(sem_t* semaphore, int shared, unsigned value) {
    if (value > SEM_VALUE_MAX)
        return fail(EINVAL);
    if (shared != 0)
        return fail(ENOSYS);
    of(semaphore).value.store(value, std::memory_order_relaxed);
    of(semaphore).waiting = {};
    return 0;
}
int sem_destroy(sem_t*) { return 0; }

int sem_trywait(sem_t* semaphore) { return try_take(of(semaphore)) ? 0 : fail(EAGAIN); }
int sem_wait(sem_t* semaphore) { return try_take(of(semaphore)) ? 0 : take(of(semaphore), nullptr); }
int sem_clockwait(sem_t* semaphore, clockid_t clock, const timespec* time) {
    if (try_take(of(semaphore)))
        return 0;
    if (!valid(*time) || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
        return fail(EINVAL);
    const std::uint64_t deadline = deadline_of(clock, *time);
    return take(of(semaphore), &deadline);
}
int sem_timedwait(sem_t* semaphore, const timespec* time) { return sem_clockwait(semaphore, CLOCK_REALTIME, time); }

int sem_post(sem_t* handle) {
    Semaphore& semaphore = of(handle);
    Thread* next;
    {
        Guard guard(&semaphore);
        next = dequeue(semaphore.waiting); // it has what we give
        if (next == nullptr) {
            if (semaphore.value.load(std::memory_order_relaxed) == SEM_VALUE_MAX)
                return fail(EOVERFLOW);
            semaphore.value.fetch_add(1, std::memory_order_release);
        }
    }
    if (next != nullptr)
        make_ready(*next);
    return 0;
}

int sem_getvalue(sem_t* semaphore, int* value) {
    *value = static_cast<int>(of(semaphore).value.load(std::memory_order_relaxed));
    return 0;
}

sem_t* sem_open(const char*, int, ...) {
    errno = ENOSYS;
    return SEM_FAILED;
}
int sem_close(sem_t*) { return fail(EINVAL); }
int sem_unlink(const char*) { return fail(ENOSYS); }

} // extern "C"

} // namespace tollgate::threads

// A mutex as it lies in pthread_mutex_t: the static initialisers of <pthread.h> are zeros and, at glibc's place, the
// kind.
#pragma once

#include "userland/lib/flexsc_threads/scheduler.h"

namespace tollgate::threads {

struct Mutex {
    std::atomic<unsigned> state; ///< 0: free, 1: held, 2: held, and threads wait
    unsigned count;              ///< of a recursive one: how often more
    std::atomic<Thread*> owner;
    int kind; ///< PTHREAD_MUTEX_*
    unsigned unused;
    Queue waiting;
};
static_assert(sizeof(Mutex) == sizeof(pthread_mutex_t) && offsetof(Mutex, kind) == 16); // __pthread_mutex_s::__kind

inline Mutex& of(pthread_mutex_t* mutex) { return *reinterpret_cast<Mutex*>(mutex); }

/// Gives the mutex to the next that waits, whoever holds it now.
void release(Mutex& mutex);
/// Takes it, and waits if it must, until the deadline if there is one. 0 or ETIMEDOUT.
int acquire(Mutex& mutex, const std::uint64_t* deadline);

inline bool valid(const std::timespec& time) { return time.tv_nsec >= 0 && time.tv_nsec < 1'000'000'000; }

} // namespace tollgate::threads

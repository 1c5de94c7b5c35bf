/* pthread_once(). In C, for GCC's cleanup attribute: an exception that leaves the routine makes the next caller try
 * again, and no C++ run-time library is needed for that. */
#include <pthread.h>
#include <sched.h>

enum { kNew = PTHREAD_ONCE_INIT, kRunning = 1, kDone = 2 };

static void give_back(pthread_once_t** once) {
    if (*once != NULL)
        __atomic_store_n(*once, kNew, __ATOMIC_RELEASE);
}

int pthread_once(pthread_once_t* once, void (*routine)(void)) {
    for (;;) {
        int state = kNew;
        if (__atomic_load_n(once, __ATOMIC_ACQUIRE) == kDone)
            return 0;
        if (__atomic_compare_exchange_n(once, &state, kRunning, 0, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
            break;
        if (state == kRunning)
            sched_yield(); /* the routine may wait for a call */
    }
    __attribute__((cleanup(give_back))) pthread_once_t* running = once;
    routine();
    running = NULL;
    __atomic_store_n(once, kDone, __ATOMIC_RELEASE);
    return 0;
}

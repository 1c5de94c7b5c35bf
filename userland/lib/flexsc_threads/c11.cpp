// C11's threads on top of ours: the C library's own would be made past pthread_create(). Its types are as large as the
// pthread ones, which the C library's header promises by its unions.
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <pthread.h>
#include <threads.h>

namespace {

static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t) && sizeof(cnd_t) == sizeof(pthread_cond_t));
static_assert(sizeof(thrd_t) == sizeof(pthread_t) && sizeof(tss_t) == sizeof(pthread_key_t));
static_assert(sizeof(once_flag) == sizeof(pthread_once_t) && PTHREAD_ONCE_INIT == 0);

pthread_mutex_t* of(mtx_t* mutex) { return reinterpret_cast<pthread_mutex_t*>(mutex); }
pthread_cond_t* of(cnd_t* condition) { return reinterpret_cast<pthread_cond_t*>(condition); }

int result_of(int error) {
    switch (error) {
    case 0:
        return thrd_success;
    case EBUSY:
        return thrd_busy;
    case ETIMEDOUT:
        return thrd_timedout;
    case ENOMEM:
    case EAGAIN:
        return thrd_nomem;
    default:
        return thrd_error;
    }
}

} // namespace

extern "C" {

/// A thrd_start_t returns an int where a pthread's function returns a pointer: the same register, of which thrd_join()
/// takes the int [System V ABI, AMD64 supplement, 3.2.3].
int thrd_create(thrd_t* thread, thrd_start_t start, void* argument) {
    return result_of(
        pthread_create(thread, nullptr, reinterpret_cast<void* (*)(void*)>(reinterpret_cast<void*>(start)), argument));
}
void thrd_exit(int result) { pthread_exit(reinterpret_cast<void*>(static_cast<std::intptr_t>(result))); }
int thrd_join(thrd_t thread, int* result) {
    void* value = nullptr;
    const int failed = pthread_join(thread, &value);
    if (failed == 0 && result != nullptr)
        *result = static_cast<int>(reinterpret_cast<std::intptr_t>(value));
    return result_of(failed);
}
int thrd_detach(thrd_t thread) { return result_of(pthread_detach(thread)); }
thrd_t thrd_current() { return pthread_self(); }
int thrd_equal(thrd_t a, thrd_t b) { return pthread_equal(a, b); }
void thrd_yield() { sched_yield(); }
int thrd_sleep(const timespec* time, timespec* left) {
    const int failed = clock_nanosleep(CLOCK_MONOTONIC, 0, time, left);
    return failed == 0 ? 0 : failed == EINTR ? -1 : -2;
}

int mtx_init(mtx_t* mutex, int type) {
    if ((type & ~(mtx_recursive | mtx_timed)) != 0)
        return thrd_error;
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, (type & mtx_recursive) ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
    return result_of(pthread_mutex_init(of(mutex), &attributes));
}
int mtx_lock(mtx_t* mutex) { return result_of(pthread_mutex_lock(of(mutex))); }
int mtx_timedlock(mtx_t* mutex, const timespec* until) { return result_of(pthread_mutex_timedlock(of(mutex), until)); }
int mtx_trylock(mtx_t* mutex) { return result_of(pthread_mutex_trylock(of(mutex))); }
int mtx_unlock(mtx_t* mutex) { return result_of(pthread_mutex_unlock(of(mutex))); }
void mtx_destroy(mtx_t* mutex) { pthread_mutex_destroy(of(mutex)); }

int cnd_init(cnd_t* condition) { return result_of(pthread_cond_init(of(condition), nullptr)); }
int cnd_signal(cnd_t* condition) { return result_of(pthread_cond_signal(of(condition))); }
int cnd_broadcast(cnd_t* condition) { return result_of(pthread_cond_broadcast(of(condition))); }
int cnd_wait(cnd_t* condition, mtx_t* mutex) { return result_of(pthread_cond_wait(of(condition), of(mutex))); }
int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
    return result_of(pthread_cond_timedwait(of(condition), of(mutex), until));
}
void cnd_destroy(cnd_t* condition) { pthread_cond_destroy(of(condition)); }

int tss_create(tss_t* key, tss_dtor_t destructor) { return result_of(pthread_key_create(key, destructor)); }
void* tss_get(tss_t key) { return pthread_getspecific(key); }
int tss_set(tss_t key, void* value) { return result_of(pthread_setspecific(key, value)); }
void tss_delete(tss_t key) { pthread_key_delete(key); }

void call_once(once_flag* flag, void (*function)()) { pthread_once(reinterpret_cast<pthread_once_t*>(flag), function); }

} // extern "C"

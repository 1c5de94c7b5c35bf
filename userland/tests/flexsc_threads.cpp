// What FlexSC-Threads refuse, by the errno that docs/flexsc_threads.md says, and what a refusal leaves behind: nothing.
// Linked with them; what they support is held against POSIX by userland/conform/pthreads.cpp.
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace {

using namespace tollgate;

void* wait_for_byte(void* argument) {
    char byte = 0;
    const long got = read(*static_cast<int*>(argument), &byte, 1);
    return reinterpret_cast<void*>(got == 1 ? 7L : 8L);
}

void cancellation(Ktap& ktap) {
    int ends[2];
    ktap.check(pipe(ends) == 0, "pipe");
    pthread_t thread;
    ktap.check(pthread_create(&thread, nullptr, wait_for_byte, &ends[0]) == 0, "create");
    sched_yield(); // it waits in read() now
    ktap.check(pthread_cancel(thread) == ENOSYS, "pthread_cancel");
    ktap.check(pthread_cancel(pthread_self()) == ENOSYS, "pthread_cancel of oneself");
    pthread_testcancel();
    int old = -1;
    ktap.check(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old) == 0 && old == PTHREAD_CANCEL_ENABLE, "state %d",
               old);
    ktap.check(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old) == 0 && old == PTHREAD_CANCEL_DISABLE, "state %d",
               old);
    ktap.check(pthread_setcancelstate(77, nullptr) == EINVAL && pthread_setcanceltype(77, nullptr) == EINVAL,
               "state 77");
    ktap.check(write(ends[1], "x", 1) == 1, "write");
    void* result = nullptr;
    ktap.check(pthread_join(thread, &result) == 0 && result == reinterpret_cast<void*>(7), "the thread was disturbed");
    close(ends[0]);
    close(ends[1]);
    ktap.test("cancellation: ENOSYS, and the thread goes on");
}

void mutex_kinds(Ktap& ktap) {
    const auto refused = [&](const char* what, auto&& set) {
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        set(&attributes);
        pthread_mutex_t mutex;
        ktap.check(pthread_mutex_init(&mutex, &attributes) == ENOTSUP, "a %s mutex", what);
        pthread_mutexattr_destroy(&attributes);
    };
    refused("robust", [](auto* a) { pthread_mutexattr_setrobust(a, PTHREAD_MUTEX_ROBUST); });
    refused("shared", [](auto* a) { pthread_mutexattr_setpshared(a, PTHREAD_PROCESS_SHARED); });
    refused("inheriting", [](auto* a) { pthread_mutexattr_setprotocol(a, PTHREAD_PRIO_INHERIT); });
    refused("protecting", [](auto* a) { pthread_mutexattr_setprotocol(a, PTHREAD_PRIO_PROTECT); });
    pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
    int ceiling = 0;
    ktap.check(pthread_mutex_consistent(&plain) == EINVAL, "pthread_mutex_consistent");
    ktap.check(pthread_mutex_getprioceiling(&plain, &ceiling) == EINVAL, "pthread_mutex_getprioceiling");
    ktap.check(pthread_mutex_setprioceiling(&plain, 1, &ceiling) == EINVAL, "pthread_mutex_setprioceiling");
    ktap.check(pthread_mutex_lock(&plain) == 0 && pthread_mutex_unlock(&plain) == 0, "an ordinary mutex");
    ktap.test("robust, shared and priority mutexes: ENOTSUP");
}

void shared_objects(Ktap& ktap) {
    pthread_condattr_t condition_attributes;
    pthread_condattr_init(&condition_attributes);
    pthread_condattr_setpshared(&condition_attributes, PTHREAD_PROCESS_SHARED);
    pthread_cond_t condition;
    ktap.check(pthread_cond_init(&condition, &condition_attributes) == ENOTSUP, "a shared condition variable");
    pthread_rwlockattr_t lock_attributes;
    pthread_rwlockattr_init(&lock_attributes);
    pthread_rwlockattr_setpshared(&lock_attributes, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_t lock;
    ktap.check(pthread_rwlock_init(&lock, &lock_attributes) == ENOTSUP, "a shared read-write lock");
    pthread_barrierattr_t barrier_attributes;
    pthread_barrierattr_init(&barrier_attributes);
    pthread_barrierattr_setpshared(&barrier_attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_t barrier;
    ktap.check(pthread_barrier_init(&barrier, &barrier_attributes, 2) == ENOTSUP, "a shared barrier");
    sem_t semaphore;
    ktap.check(sem_init(&semaphore, 1, 0) == -1 && errno == ENOSYS, "a shared semaphore");
    ktap.check(sem_open("/named", O_CREAT, 0600, 1) == SEM_FAILED && errno == ENOSYS, "a named semaphore");
    ktap.check(sem_unlink("/named") == -1 && errno == ENOSYS, "sem_unlink");
    ktap.test("objects shared between processes, named semaphores: refused");
}

void scheduling(Ktap& ktap) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    ktap.check(pthread_setaffinity_np(pthread_self(), sizeof set, &set) == ENOSYS, "pthread_setaffinity_np");
    sched_param parameters{};
    ktap.check(pthread_setschedparam(pthread_self(), SCHED_OTHER, &parameters) == ENOSYS, "pthread_setschedparam");
    ktap.check(pthread_setschedprio(pthread_self(), 0) == ENOSYS, "pthread_setschedprio");
    clockid_t clock;
    ktap.check(pthread_getcpuclockid(pthread_self(), &clock) == ENOENT, "pthread_getcpuclockid");
    ktap.check(pthread_sigqueue(pthread_self(), SIGUSR1, {}) == ENOSYS, "pthread_sigqueue");
    ktap.test("place, priority, clock and queued signals of one thread: refused");
}

/// A user thread forks while others wait in posted calls; the child has that thread alone and makes calls and threads.
void* fork_here(void*) {
    const pid_t child = fork();
    if (child == 0) {
        int ends[2];
        pthread_t thread;
        void* result = nullptr;
        const bool good = pipe(ends) == 0 && pthread_create(&thread, nullptr, wait_for_byte, &ends[0]) == 0 &&
                          write(ends[1], "x", 1) == 1 && pthread_join(thread, &result) == 0;
        _exit(good && result == reinterpret_cast<void*>(7) ? 3 : 4);
    }
    int status = 0;
    const bool good = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 3;
    return reinterpret_cast<void*>(good ? 1L : 0L);
}
void forks(Ktap& ktap) {
    int ends[2];
    ktap.check(pipe(ends) == 0, "pipe");
    pthread_t waiting[3], forking;
    for (pthread_t& thread : waiting)
        ktap.check(pthread_create(&thread, nullptr, wait_for_byte, &ends[0]) == 0, "create");
    sched_yield();
    void* result = nullptr;
    ktap.check(pthread_create(&forking, nullptr, fork_here, nullptr) == 0 && pthread_join(forking, &result) == 0,
               "join");
    ktap.check(result == reinterpret_cast<void*>(1), "the child of a user thread");
    ktap.check(write(ends[1], "abc", 3) == 3, "write");
    for (pthread_t& thread : waiting)
        ktap.check(pthread_join(thread, &result) == 0 && result == reinterpret_cast<void*>(7), "a thread that waited");
    close(ends[0]);
    close(ends[1]);
    ktap.test("fork by a user thread while others wait");
}

} // namespace

int main() {
    Ktap ktap(5);
    cancellation(ktap);
    mutex_kinds(ktap);
    shared_objects(ktap);
    scheduling(ktap);
    forks(ktap);
    return ktap.finish();
}

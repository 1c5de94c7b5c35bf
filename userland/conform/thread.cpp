// POSIX threads as glibc builds them on clone, futex and the rest: made and joined by the thousand, and every means of
// synchronisation under contention.
#include <atomic>
#include <cerrno>
#include <climits>
#include <ctime>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace {

tollgate::Ktap ktap(8);

constexpr int kThreads = 8;

/// Runs `body` in kThreads threads and waits for all.
template <class F>
bool together(F body) {
    pthread_t threads[kThreads];
    int started = 0;
    for (; started < kThreads; ++started)
        if (pthread_create(
                &threads[started], nullptr,
                [](void* f) -> void* {
                    (*static_cast<F*>(f))();
                    return nullptr;
                },
                &body) != 0)
            break;
    for (int i = 0; i < started; ++i)
        pthread_join(threads[i], nullptr);
    return started == kThreads;
}

void many() {
    int wrong = 0;
    for (long i = 0; i < 10'000; ++i) {
        pthread_t thread;
        void* result = nullptr;
        wrong += pthread_create(
                     &thread, nullptr, [](void* a) -> void* { return a; }, reinterpret_cast<void*>(i)) != 0;
        wrong += pthread_join(thread, &result) != 0 || result != reinterpret_cast<void*>(i);
    }
    ktap.check(wrong == 0, "%d of 10000", wrong);
    ktap.test("10000 threads one after the other");

    constexpr int kAtOnce = 1500;
    static pthread_t threads[kAtOnce];
    static sem_t gate, arrived;
    sem_init(&gate, 0, 0);
    sem_init(&arrived, 0, 0);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN);
    int started = 0;
    for (; started < kAtOnce; ++started)
        if (pthread_create(
                &threads[started], &small,
                [](void*) -> void* {
                    sem_post(&arrived);
                    while (sem_wait(&gate) != 0) {
                    }
                    return nullptr;
                },
                nullptr) != 0)
            break;
    for (int i = 0; i < started; ++i)
        while (sem_wait(&arrived) != 0) {
        }
    for (int i = 0; i < started; ++i)
        sem_post(&gate);
    for (int i = 0; i < started; ++i)
        pthread_join(threads[i], nullptr);
    ktap.check(started == kAtOnce, "only %d threads at once", started);
    ktap.test("1500 threads at once");
}

void locks() {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_spinlock_t spin;
    static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
    static long counts[3];
    static std::atomic<long> torn{0};
    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    const bool ran = together([] {
        for (int i = 0; i < 2000; ++i) {
            pthread_mutex_lock(&mutex);
            ++counts[0];
            pthread_mutex_unlock(&mutex);
            if (i % 4 == 0) {
                pthread_rwlock_wrlock(&shared);
                ++counts[1];
                ++counts[2];
                pthread_rwlock_unlock(&shared);
            } else {
                pthread_rwlock_rdlock(&shared);
                torn += counts[1] != counts[2];
                pthread_rwlock_unlock(&shared);
            }
        }
    });
    ktap.check(ran && counts[0] == 2000L * kThreads, "the mutex let %ld of %d through", counts[0], 2000 * kThreads);
    ktap.check(counts[1] == 500L * kThreads && counts[1] == counts[2] && torn == 0, "the rwlock: %ld, %ld, %ld torn",
               counts[1], counts[2], torn.load());
    timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 10'000'000;
    if (soon.tv_nsec >= 1'000'000'000) {
        soon.tv_nsec -= 1'000'000'000;
        ++soon.tv_sec;
    }
    pthread_mutex_lock(&mutex);
    static int timed;
    together(
        [&soon] { __atomic_fetch_add(&timed, pthread_mutex_timedlock(&mutex, &soon) == ETIMEDOUT, __ATOMIC_SEQ_CST); });
    pthread_mutex_unlock(&mutex);
    ktap.check(timed == kThreads, "%d of %d timed out", timed, kThreads);
    ktap.test("mutex and read-write lock");
}

void conditions() {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
    static int turn;
    static std::atomic<int> next_number{0};
    // Each in its turn, round after round.
    const bool ran = together([] {
        const int me = next_number++;
        for (int round = 0; round < 200; ++round) {
            pthread_mutex_lock(&mutex);
            while (turn % kThreads != me)
                pthread_cond_wait(&changed, &mutex);
            ++turn;
            pthread_cond_broadcast(&changed);
            pthread_mutex_unlock(&mutex);
        }
    });
    ktap.check(ran && turn == 200 * kThreads, "%d turns", turn);
    timespec past{1, 0};
    pthread_mutex_lock(&mutex);
    ktap.check(pthread_cond_timedwait(&changed, &mutex, &past) == ETIMEDOUT, "a past deadline");
    pthread_mutex_unlock(&mutex);
    ktap.test("condition variables");
}

void barriers() {
    static pthread_barrier_t barrier;
    static std::atomic<int> before{0}, serial{0}, early{0};
    pthread_barrier_init(&barrier, nullptr, kThreads);
    const bool ran = together([] {
        for (int round = 1; round <= 100; ++round) {
            ++before;
            serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
            early += before < round * kThreads;
            pthread_barrier_wait(&barrier);
        }
    });
    ktap.check(ran && early == 0 && serial == 100, "%d early, %d serial", early.load(), serial.load());
    ktap.test("barriers");
}

void once_and_tls() {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static std::atomic<int> runs{0}, wrong{0}, destroyed{0};
    static pthread_key_t key;
    static thread_local long own = 42;
    pthread_key_create(&key, [](void*) { ++destroyed; });
    const bool ran = together([] {
        pthread_once(&once, [] { ++runs; });
        wrong += own != 42;
        own = gettid();
        pthread_setspecific(key, &own);
        for (int i = 0; i < 20; ++i) {
            sched_yield();
            wrong += own != gettid() || pthread_getspecific(key) != &own;
        }
    });
    ktap.check(ran && runs == 1, "the routine ran %d times", runs.load());
    ktap.check(wrong == 0 && destroyed == kThreads, "%d wrong, %d destroyed", wrong.load(), destroyed.load());
    ktap.test("once, thread-local variables and keys");
}

void semaphores() {
    static sem_t full, empty;
    static int slot;
    static long sum;
    sem_init(&full, 0, 0);
    sem_init(&empty, 0, 1);
    pthread_t producer;
    pthread_create(
        &producer, nullptr,
        [](void*) -> void* {
            for (int i = 1; i <= 2000; ++i) {
                sem_wait(&empty);
                slot = i;
                sem_post(&full);
            }
            return nullptr;
        },
        nullptr);
    for (int i = 0; i < 2000; ++i) {
        sem_wait(&full);
        sum += slot;
        sem_post(&empty);
    }
    pthread_join(producer, nullptr);
    ktap.check(sum == 2000L * 2001 / 2, "sum %ld", sum);
    ktap.test("semaphores");
}

void detached() {
    static std::atomic<int> ended{0};
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int started = 0;
    for (int i = 0; i < 200; ++i) {
        pthread_t thread;
        started += pthread_create(
                       &thread, &attributes, [](void*) -> void* { return ++ended, nullptr; }, nullptr) == 0;
    }
    for (int i = 0; i < 5000 && ended < started; ++i) {
        const timespec t{0, 1'000'000};
        nanosleep(&t, nullptr);
    }
    ktap.check(started == 200 && ended == 200, "%d started, %d ended", started, ended.load());
    ktap.test("detached threads");
}

} // namespace

int main() {
    many();
    locks();
    conditions();
    barriers();
    once_and_tls();
    semaphores();
    detached();
    return ktap.finish();
}

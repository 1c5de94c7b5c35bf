// POSIX threads. The same program runs with the C library's threads and with FlexSC-Threads, dynamically by LD_PRELOAD
// and linked statically; what the latter do not support (docs/flexsc_threads.md) is either done or refused by the
// documented errno, and nothing here depends on which thread runs first.
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <shared_mutex>
#include <string>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <threads.h>
#include <unistd.h>
#include <vector>

#include "userland/lib/ktap.h"

namespace {

using tollgate::Ktap;

constexpr int kMany = 64;

pthread_t start(void* (*routine)(void*), void* argument = nullptr, const pthread_attr_t* attributes = nullptr) {
    pthread_t thread{};
    if (const int failed = pthread_create(&thread, attributes, routine, argument); failed != 0) {
        std::printf("# pthread_create: %s\n", std::strerror(failed));
        std::exit(1);
    }
    return thread;
}
void* join(pthread_t thread) {
    void* value = nullptr;
    return pthread_join(thread, &value) == 0 ? value : reinterpret_cast<void*>(-1);
}
timespec in_milliseconds(long milliseconds, clockid_t clock = CLOCK_REALTIME) {
    timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += milliseconds % 1000 * 1'000'000;
    time.tv_sec += milliseconds / 1000 + time.tv_nsec / 1'000'000'000;
    time.tv_nsec %= 1'000'000'000;
    return time;
}
double seconds_now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}
/// An arrangement of threads that wait for each other by polling must let them run.
template <class Condition>
bool soon(Condition&& condition) {
    for (int i = 0; i < 5000; ++i) {
        if (condition())
            return true;
        usleep(1000);
    }
    return condition();
}

// --- the life of a thread
void* echo(void* value) { return value; }
void* own_handle(void* out) {
    *static_cast<pthread_t*>(out) = pthread_self();
    return nullptr;
}

void create_and_join(Ktap& ktap) {
    for (long i = 0; i < 3 * kMany; ++i)
        ktap.check(join(start(&echo, reinterpret_cast<void*>(i))) == reinterpret_cast<void*>(i), "value %ld", i);
    std::vector<pthread_t> threads;
    for (long i = 0; i < kMany; ++i)
        threads.push_back(start(&echo, reinterpret_cast<void*>(i)));
    for (long i = 0; i < kMany; ++i)
        ktap.check(join(threads[i]) == reinterpret_cast<void*>(i), "value %ld of many", i);
    ktap.test("create and join");
    pthread_t inside{};
    const pthread_t outside = start(&own_handle, &inside);
    join(outside);
    ktap.check(pthread_equal(inside, outside), "self");
    ktap.check(pthread_equal(pthread_self(), pthread_self()) && !pthread_equal(pthread_self(), outside), "equal");
    ktap.check(pthread_join(pthread_self(), nullptr) == EDEADLK, "joined itself");
    ktap.test("self and equal");
}

std::atomic<int> ended;
void* count_end(void*) {
    ++ended;
    return nullptr;
}
void detached(Ktap& ktap) {
    ended = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < kMany; ++i)
        start(&count_end, nullptr, &attributes);
    for (int i = 0; i < kMany; ++i)
        ktap.check(pthread_detach(start(&count_end)) == 0, "detach");
    ktap.check(soon([] { return ended == 2 * kMany; }), "%d ended", ended.load());
    pthread_attr_destroy(&attributes);
    ktap.test("detached threads");
}

struct Gate {
    std::atomic<bool> open{false};
};
void* pass(void* gate) {
    while (!static_cast<Gate*>(gate)->open)
        usleep(500);
    return reinterpret_cast<void*>(7);
}
void join_with_limits(Ktap& ktap) {
    Gate gate;
    const pthread_t thread = start(&pass, &gate);
    void* value = nullptr;
    ktap.check(pthread_tryjoin_np(thread, &value) == EBUSY, "tryjoin of a running thread");
    const timespec soon_over = in_milliseconds(20);
    ktap.check(pthread_timedjoin_np(thread, &value, &soon_over) == ETIMEDOUT, "timedjoin of a running thread");
    gate.open = true;
    const timespec late = in_milliseconds(20'000);
    ktap.check(pthread_timedjoin_np(thread, &value, &late) == 0 && value == reinterpret_cast<void*>(7), "timedjoin");
    ktap.test("tryjoin and timedjoin");
}

// --- ending
std::string order;
pthread_key_t order_key;
struct Destroyed {
    char name;
    ~Destroyed() { order += name; }
};
void handler(void* name) { order += *static_cast<char*>(name); }
[[noreturn]] void leave_deep(int depth) {
    Destroyed on_stack{static_cast<char>('0' + depth)};
    if (depth == 0)
        pthread_exit(reinterpret_cast<void*>(42));
    leave_deep(depth - 1);
}
thread_local Destroyed in_tls{'t'};
void* exit_with_everything(void*) {
    static char a = 'a', b = 'b', k = 'k';
    (void)in_tls.name;
    pthread_setspecific(order_key, &k);
    pthread_cleanup_push(&handler, &a);
    pthread_cleanup_push(&handler, &b);
    leave_deep(2);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return nullptr;
}
void* pop_handlers(void*) {
    static char a = 'a', b = 'b';
    pthread_cleanup_push(&handler, &a);
    pthread_cleanup_push(&handler, &b);
    pthread_cleanup_pop(1);
    pthread_cleanup_pop(0);
    return nullptr;
}
void exits(Ktap& ktap) {
    pthread_key_create(&order_key, &handler);
    order.clear();
    ktap.check(join(start(&exit_with_everything)) == reinterpret_cast<void*>(42), "the value of pthread_exit");
    ktap.check(order == "012batk", "order of destruction: %s", order.c_str());
    order.clear();
    join(start(&pop_handlers));
    ktap.check(order == "b", "popped: %s", order.c_str());
    pthread_key_delete(order_key);
    ktap.test("exit: destructors, handlers, thread_local, keys, in this order");
}

// --- attributes
void* stack_of_self(void* out) {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return nullptr;
    void* base = nullptr;
    auto* const sizes = static_cast<std::size_t*>(out);
    pthread_attr_getstack(&attributes, &base, &sizes[0]);
    pthread_attr_getguardsize(&attributes, &sizes[1]);
    const char here = 0;
    const bool inside = &here >= base && &here < static_cast<char*>(base) + sizes[0];
    pthread_attr_destroy(&attributes);
    return reinterpret_cast<void*>(inside);
}
void* use_stack(void* size) {
    volatile char block[1000];
    const long left = reinterpret_cast<long>(size) - 1200;
    block[0] = 1;
    block[999] = 1;
    return left < 8192 ? echo(nullptr) : use_stack(reinterpret_cast<void*>(left + block[0] - 1));
}
void attributes(Ktap& ktap) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    ktap.check(pthread_attr_setstacksize(&attributes, 100) == EINVAL, "a stack of 100 bytes");
    for (const std::size_t size : {65536ul, 1ul << 20, 4ul << 20}) {
        pthread_attr_setstacksize(&attributes, size);
        pthread_attr_setguardsize(&attributes, 8192);
        std::size_t sizes[2] = {};
        ktap.check(join(start(&stack_of_self, sizes, &attributes)) == reinterpret_cast<void*>(1),
                   "outside of its stack");
        ktap.check(sizes[0] >= size - 8192 && sizes[1] == 8192, "stack %zu, guard %zu", sizes[0], sizes[1]);
        ktap.check(join(start(&use_stack, reinterpret_cast<void*>(size - 16384), &attributes)) == nullptr,
                   "stack of %zu", size);
    }
    pthread_attr_destroy(&attributes);
    pthread_attr_init(&attributes);
    constexpr std::size_t kSize = 1 << 18;
    void* const mine = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ktap.check(pthread_attr_setstack(&attributes, mine, kSize) == 0, "setstack");
    for (int i = 0; i < 3; ++i) {
        std::size_t sizes[2] = {};
        ktap.check(join(start(&stack_of_self, sizes, &attributes)) == reinterpret_cast<void*>(1),
                   "not on the stack given");
    }
    munmap(mine, kSize);
    pthread_attr_destroy(&attributes);
    ktap.test("stack size, guard size, a stack of the program's");
}

struct Named {
    Gate named, open;
    int result = -1;
};
void* name_self(void* argument) {
    auto& named = *static_cast<Named*>(argument);
    named.result = pthread_setname_np(pthread_self(), "fifteen letters");
    named.named.open = true;
    return pass(&named.open);
}
void names(Ktap& ktap) {
    Named named;
    const pthread_t thread = start(&name_self, &named);
    char name[16] = "";
    ktap.check(soon([&] { return named.named.open.load(); }) && named.result == 0, "setname: %d", named.result);
    ktap.check(pthread_getname_np(thread, name, sizeof name) == 0 && !strcmp(name, "fifteen letters"), "name %s", name);
    ktap.check(pthread_setname_np(thread, "sixteen letters!") == ERANGE, "a long name");
    ktap.check(pthread_getname_np(thread, name, 10) == ERANGE, "a short buffer");
    named.open.open = true;
    join(thread);
    ktap.test("names");
}

// --- TLS and errno
thread_local int initialised = 17;
thread_local char zeroed[300];
void* own_variables(void* argument) {
    const long mine = reinterpret_cast<long>(argument);
    bool good = initialised == 17 && zeroed[0] == 0 && zeroed[299] == 0;
    for (int round = 0; round < 20; ++round) {
        initialised = static_cast<int>(mine);
        std::memset(zeroed, static_cast<int>(mine), sizeof zeroed);
        errno = static_cast<int>(1000 + mine);
        usleep(100);
        sched_yield();
        good = good && initialised == mine && zeroed[299] == static_cast<char>(mine) && errno == 1000 + mine;
        good = good && close(-1) == -1 && errno == EBADF;
    }
    return reinterpret_cast<void*>(good);
}
void tls(Ktap& ktap) {
    for (int generation = 0; generation < 2; ++generation) { // the second finds used memory
        std::vector<pthread_t> threads;
        for (long i = 1; i <= 32; ++i)
            threads.push_back(start(&own_variables, reinterpret_cast<void*>(i)));
        for (const pthread_t thread : threads)
            ktap.check(join(thread) == reinterpret_cast<void*>(1), "another thread's variables");
    }
    ktap.check(initialised == 17, "the main thread's variable");
    ktap.test("every thread its own thread_local variables and errno");
}

// --- mutexes
struct Counter {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    long value = 0;
    int inside = 0;
    bool overlapped = false;
};
void* count_up(void* argument) {
    auto& counter = *static_cast<Counter*>(argument);
    for (int i = 0; i < 50; ++i) {
        pthread_mutex_lock(&counter.mutex);
        counter.overlapped |= ++counter.inside != 1;
        if (i % 10 == 0)
            usleep(10); // others come while it is held
        ++counter.value;
        --counter.inside;
        pthread_mutex_unlock(&counter.mutex);
    }
    return nullptr;
}
void* try_lock(void* mutex) {
    const int result = pthread_mutex_trylock(static_cast<pthread_mutex_t*>(mutex));
    if (result == 0)
        pthread_mutex_unlock(static_cast<pthread_mutex_t*>(mutex));
    return reinterpret_cast<void*>(static_cast<long>(result));
}
void* unlock(void* mutex) {
    return reinterpret_cast<void*>(static_cast<long>(pthread_mutex_unlock(static_cast<pthread_mutex_t*>(mutex))));
}
long held_elsewhere(pthread_mutex_t* mutex) { return reinterpret_cast<long>(join(start(&try_lock, mutex))); }

void mutexes(Ktap& ktap) {
    Counter counter;
    std::vector<pthread_t> threads;
    for (int i = 0; i < 16; ++i)
        threads.push_back(start(&count_up, &counter));
    for (const pthread_t thread : threads)
        join(thread);
    ktap.check(counter.value == 16 * 50 && !counter.overlapped, "%ld counted", counter.value);
    ktap.check(pthread_mutex_destroy(&counter.mutex) == 0, "destroy");
    ktap.test("a mutex excludes");

    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_t made;
    pthread_mutex_init(&made, &attributes);
    static pthread_mutex_t fixed = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    for (pthread_mutex_t* const mutex : {&made, &fixed}) {
        for (int i = 0; i < 3; ++i)
            ktap.check(pthread_mutex_lock(mutex) == 0, "lock %d", i);
        ktap.check(pthread_mutex_trylock(mutex) == 0 && pthread_mutex_unlock(mutex) == 0, "trylock by the holder");
        ktap.check(reinterpret_cast<long>(join(start(&unlock, mutex))) == EPERM, "unlocked by another");
        for (int i = 0; i < 3; ++i) {
            ktap.check(held_elsewhere(mutex) == EBUSY, "free after %d unlocks", i);
            ktap.check(pthread_mutex_unlock(mutex) == 0, "unlock %d", i);
        }
        ktap.check(held_elsewhere(mutex) == 0 && pthread_mutex_unlock(mutex) == EPERM, "still held");
    }
    ktap.test("recursive mutexes");

    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_t checking;
    pthread_mutex_init(&checking, &attributes);
    ktap.check(pthread_mutex_unlock(&checking) == EPERM, "unlocked although free");
    ktap.check(pthread_mutex_lock(&checking) == 0 && pthread_mutex_lock(&checking) == EDEADLK, "locked twice");
    ktap.check(pthread_mutex_trylock(&checking) == EBUSY, "trylock by the holder");
    ktap.check(reinterpret_cast<long>(join(start(&unlock, &checking))) == EPERM, "unlocked by another");
    ktap.check(pthread_mutex_unlock(&checking) == 0, "unlock");
    pthread_mutexattr_destroy(&attributes);
    ktap.test("error-checking mutexes");

    pthread_mutex_t timed = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&timed);
    const auto lock_for_20_ms = [](void* mutex) -> void* {
        const timespec limit = in_milliseconds(20);
        return reinterpret_cast<void*>(
            static_cast<long>(pthread_mutex_timedlock(static_cast<pthread_mutex_t*>(mutex), &limit)));
    };
    ktap.check(reinterpret_cast<long>(join(start(lock_for_20_ms, &timed))) == ETIMEDOUT, "timedlock of a held one");
    pthread_mutex_unlock(&timed);
    ktap.check(held_elsewhere(&timed) == 0, "held after a lock that timed out");
    timespec wrong = in_milliseconds(0);
    wrong.tv_nsec = 1'000'000'000;
    ktap.check(pthread_mutex_timedlock(&timed, &wrong) == 0, "a free one asks for no time");
    pthread_mutex_unlock(&timed);
    ktap.test("timed locking");
}

// --- condition variables
struct Channel { // one place
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
    long value = 0; // 0: empty
    long sum = 0;
};
void* consume(void* argument) {
    auto& channel = *static_cast<Channel*>(argument);
    for (bool going = true; going;) {
        pthread_mutex_lock(&channel.mutex);
        while (channel.value == 0)
            pthread_cond_wait(&channel.changed, &channel.mutex);
        going = channel.value > 0;
        if (going) {
            channel.sum += channel.value;
            channel.value = 0;
            pthread_cond_broadcast(&channel.changed);
        }
        pthread_mutex_unlock(&channel.mutex);
    }
    return nullptr;
}
void put(Channel& channel, long value) {
    pthread_mutex_lock(&channel.mutex);
    while (channel.value != 0)
        pthread_cond_wait(&channel.changed, &channel.mutex);
    channel.value = value;
    pthread_cond_broadcast(&channel.changed);
    pthread_mutex_unlock(&channel.mutex);
}
struct Sleepers {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t go = PTHREAD_COND_INITIALIZER;
    int waiting = 0, tickets = 0, passed = 0;
};
void* wait_for_ticket(void* argument) {
    auto& all = *static_cast<Sleepers*>(argument);
    pthread_mutex_lock(&all.mutex);
    ++all.waiting;
    while (all.tickets == 0)
        pthread_cond_wait(&all.go, &all.mutex);
    --all.tickets;
    ++all.passed;
    pthread_mutex_unlock(&all.mutex);
    return nullptr;
}
template <class T, class Field>
Field under(pthread_mutex_t& mutex, T& all, Field T::*field) {
    pthread_mutex_lock(&mutex);
    const Field value = all.*field;
    pthread_mutex_unlock(&mutex);
    return value;
}
void conditions(Ktap& ktap) {
    Channel channel;
    std::vector<pthread_t> threads;
    for (int i = 0; i < 8; ++i)
        threads.push_back(start(&consume, &channel));
    for (int i = 1; i <= 200; ++i)
        put(channel, i);
    put(channel, -1);
    for (const pthread_t thread : threads)
        join(thread);
    ktap.check(channel.sum == 200 * 201 / 2, "sum %ld", channel.sum);
    ktap.test("a condition variable between producers and consumers");

    Sleepers all;
    threads.clear();
    for (int i = 0; i < 10; ++i)
        threads.push_back(start(&wait_for_ticket, &all));
    ktap.check(soon([&] { return under(all.mutex, all, &Sleepers::waiting) == 10; }), "not all wait");
    for (int i = 1; i <= 3; ++i) {
        pthread_mutex_lock(&all.mutex);
        ++all.tickets;
        pthread_cond_signal(&all.go);
        pthread_mutex_unlock(&all.mutex);
        ktap.check(soon([&] { return under(all.mutex, all, &Sleepers::passed) == i; }), "signal %d wakes none", i);
    }
    pthread_mutex_lock(&all.mutex);
    all.tickets += 7;
    pthread_cond_broadcast(&all.go);
    pthread_mutex_unlock(&all.mutex);
    for (const pthread_t thread : threads)
        join(thread);
    ktap.check(all.passed == 10 && all.tickets == 0, "%d passed", all.passed);
    ktap.test("signal wakes one, broadcast all");

    for (const clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC}) {
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, clock);
        pthread_cond_t never;
        pthread_cond_init(&never, &attributes);
        pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        pthread_mutex_lock(&mutex);
        const double begin = seconds_now();
        timespec limit = in_milliseconds(30, clock);
        int result;
        while ((result = pthread_cond_timedwait(&never, &mutex, &limit)) == 0) {
        }
        ktap.check(result == ETIMEDOUT && seconds_now() - begin > 0.029, "result %d after %f s", result,
                   seconds_now() - begin);
        ktap.check(held_elsewhere(&mutex) == EBUSY, "the mutex is not held again");
        limit = in_milliseconds(-1, clock);
        ktap.check(pthread_cond_timedwait(&never, &mutex, &limit) == ETIMEDOUT, "a deadline in the past");
        limit.tv_nsec = -1;
        ktap.check(pthread_cond_timedwait(&never, &mutex, &limit) == EINVAL, "negative nanoseconds");
        pthread_mutex_unlock(&mutex);
        ktap.check(pthread_cond_destroy(&never) == 0, "destroy");
        pthread_condattr_destroy(&attributes);
    }
    ktap.test("timed waits by both clocks");
}

// --- read-write locks
struct Shared {
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    std::atomic<int> readers{0}, most_readers{0}, writers{0};
    std::atomic<bool> clash{false};
    long a = 0, b = 0;
};
void* read_often(void* argument) {
    auto& shared = *static_cast<Shared*>(argument);
    for (int i = 0; i < 20; ++i) {
        pthread_rwlock_rdlock(&shared.lock);
        const int now = ++shared.readers;
        for (int most = shared.most_readers; most < now && !shared.most_readers.compare_exchange_weak(most, now);) {
        }
        shared.clash = shared.clash || shared.writers != 0 || shared.a != shared.b;
        usleep(50);
        --shared.readers;
        pthread_rwlock_unlock(&shared.lock);
        usleep(20);
    }
    return nullptr;
}
void* write_often(void* argument) {
    auto& shared = *static_cast<Shared*>(argument);
    for (int i = 0; i < 20; ++i) {
        pthread_rwlock_wrlock(&shared.lock);
        shared.clash = shared.clash || ++shared.writers != 1 || shared.readers != 0;
        ++shared.a;
        sched_yield();
        ++shared.b;
        --shared.writers;
        pthread_rwlock_unlock(&shared.lock);
        usleep(50);
    }
    return nullptr;
}
void rwlocks(Ktap& ktap) {
    Shared shared;
    std::vector<pthread_t> threads;
    for (int i = 0; i < 4; ++i) {
        threads.push_back(start(&read_often, &shared));
        threads.push_back(start(&write_often, &shared));
    }
    for (const pthread_t thread : threads)
        join(thread);
    ktap.check(!shared.clash && shared.a == 80 && shared.b == 80, "clash %d, %ld written", shared.clash.load(),
               shared.a);
    ktap.check(shared.most_readers > 1, "never two readers");
    pthread_rwlock_t& lock = shared.lock;
    ktap.check(pthread_rwlock_rdlock(&lock) == 0 && pthread_rwlock_tryrdlock(&lock) == 0, "read twice");
    ktap.check(pthread_rwlock_trywrlock(&lock) == EBUSY, "write while read");
    const timespec limit = in_milliseconds(20);
    ktap.check(pthread_rwlock_timedwrlock(&lock, &limit) == ETIMEDOUT, "timed write while read");
    ktap.check(pthread_rwlock_unlock(&lock) == 0 && pthread_rwlock_unlock(&lock) == 0, "unlock");
    ktap.check(pthread_rwlock_wrlock(&lock) == 0 && pthread_rwlock_tryrdlock(&lock) == EBUSY, "read while written");
    ktap.check(pthread_rwlock_wrlock(&lock) == EDEADLK && pthread_rwlock_rdlock(&lock) == EDEADLK,
               "by the writer again");
    ktap.check(pthread_rwlock_unlock(&lock) == 0 && pthread_rwlock_destroy(&lock) == 0, "destroy");
    ktap.test("read-write locks");
}

// --- semaphores, barriers, spin locks, once, keys
void* post_later(void* semaphore) {
    usleep(2000);
    sem_post(static_cast<sem_t*>(semaphore));
    return nullptr;
}
void semaphores(Ktap& ktap) {
    sem_t semaphore;
    int value = 0;
    ktap.check(sem_init(&semaphore, 0, 2) == 0 && sem_wait(&semaphore) == 0 && sem_trywait(&semaphore) == 0, "two");
    ktap.check(sem_trywait(&semaphore) == -1 && errno == EAGAIN, "a third");
    const timespec limit = in_milliseconds(20);
    ktap.check(sem_timedwait(&semaphore, &limit) == -1 && errno == ETIMEDOUT, "timed");
    std::vector<pthread_t> threads;
    for (int i = 0; i < 8; ++i)
        threads.push_back(start(&post_later, &semaphore));
    for (int i = 0; i < 8; ++i)
        ktap.check(sem_wait(&semaphore) == 0, "wait");
    for (const pthread_t thread : threads)
        join(thread);
    ktap.check(sem_getvalue(&semaphore, &value) == 0 && value == 0, "value %d", value);
    ktap.check(sem_init(&semaphore, 0, ~0u) == -1 && errno == EINVAL, "a huge value");
    sem_destroy(&semaphore);
    ktap.test("semaphores");
}

pthread_barrier_t barrier;
std::atomic<int> in_phase[5], serial;
void* phases(void*) {
    bool good = true;
    for (int phase = 0; phase < 5; ++phase) {
        ++in_phase[phase];
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            ++serial;
        good = good && in_phase[phase] == 8;
    }
    return reinterpret_cast<void*>(good);
}
void barriers(Ktap& ktap) {
    ktap.check(pthread_barrier_init(&barrier, nullptr, 0) == EINVAL, "a barrier for none");
    pthread_barrier_init(&barrier, nullptr, 8);
    std::vector<pthread_t> threads;
    for (int i = 0; i < 8; ++i)
        threads.push_back(start(&phases));
    for (const pthread_t thread : threads)
        ktap.check(join(thread) == reinterpret_cast<void*>(1), "through too early");
    ktap.check(serial == 5, "%d serial threads", serial.load());
    pthread_barrier_destroy(&barrier);
    ktap.test("barriers");
}

pthread_spinlock_t spin;
long spun;
void* spin_and_count(void*) {
    for (int i = 0; i < 100; ++i) {
        pthread_spin_lock(&spin);
        const long seen = spun;
        if (i % 25 == 0)
            sched_yield();
        spun = seen + 1;
        pthread_spin_unlock(&spin);
    }
    return nullptr;
}
void spin_locks(Ktap& ktap) {
    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    std::vector<pthread_t> threads;
    for (int i = 0; i < 4; ++i)
        threads.push_back(start(&spin_and_count));
    for (const pthread_t thread : threads)
        join(thread);
    ktap.check(spun == 400, "%ld counted", spun);
    ktap.check(pthread_spin_trylock(&spin) == 0 && pthread_spin_trylock(&spin) == EBUSY, "trylock");
    ktap.test("spin locks");
}

pthread_once_t once = PTHREAD_ONCE_INIT;
std::atomic<int> initialisations;
void initialise() {
    usleep(3000); // all others arrive meanwhile
    ++initialisations;
}
void* call_once(void*) {
    pthread_once(&once, &initialise);
    return reinterpret_cast<void*>(static_cast<long>(initialisations));
}
void once_only(Ktap& ktap) {
    std::vector<pthread_t> threads;
    for (int i = 0; i < 8; ++i)
        threads.push_back(start(&call_once));
    for (const pthread_t thread : threads)
        ktap.check(join(thread) == reinterpret_cast<void*>(1), "before it was initialised");
    int tries = 0;
    std::once_flag flag;
    for (int i = 0; i < 3; ++i)
        try {
            std::call_once(flag, [&] {
                if (++tries == 1)
                    throw 1;
            });
        } catch (int) {
        }
    ktap.check(tries == 2, "%d tries", tries);
    ktap.test("once, and again after an exception");
}

std::atomic<int> destroyed;
void destroy_key(void*) { ++destroyed; }
std::vector<pthread_key_t> keys;
void* use_keys(void* argument) {
    const auto mine = static_cast<char*>(argument);
    bool good = true;
    for (std::size_t i = 0; i < keys.size(); ++i)
        good = good && pthread_getspecific(keys[i]) == nullptr && pthread_setspecific(keys[i], mine + i) == 0;
    usleep(200);
    for (std::size_t i = 0; i < keys.size(); ++i)
        good = good && pthread_getspecific(keys[i]) == mine + i;
    return reinterpret_cast<void*>(good);
}
void specific(Ktap& ktap) {
    for (pthread_key_t key; keys.size() < 100 && pthread_key_create(&key, &destroy_key) == 0;)
        keys.push_back(key);
    ktap.check(keys.size() == 100, "%zu keys", keys.size());
    for (int generation = 0; generation < 2; ++generation) {
        destroyed = 0;
        static char places[8][200];
        std::vector<pthread_t> threads;
        for (auto& place : places)
            threads.push_back(start(&use_keys, place));
        for (const pthread_t thread : threads)
            ktap.check(join(thread) == reinterpret_cast<void*>(1), "another thread's values");
        ktap.check(destroyed == 800, "%d destroyed", destroyed.load());
    }
    pthread_setspecific(keys[0], &keys);
    for (const pthread_key_t key : keys)
        ktap.check(pthread_key_delete(key) == 0, "delete");
    ktap.check(pthread_key_delete(keys[0]) == EINVAL && pthread_setspecific(keys[0], &keys) == EINVAL, "a deleted key");
    pthread_key_t again;
    pthread_key_create(&again, nullptr);
    ktap.check(pthread_getspecific(again) == nullptr, "a value of a key that was deleted");
    pthread_key_delete(again);
    ktap.test("thread-specific data");
}

// --- system calls that block
struct Pipe {
    int ends[2];
};
void* read_one(void* argument) {
    char byte = 0;
    return reinterpret_cast<void*>(read(static_cast<Pipe*>(argument)->ends[0], &byte, 1) == 1 ? long{byte} : -1l);
}
void* poll_one(void* argument) {
    pollfd fd{static_cast<Pipe*>(argument)->ends[0], POLLIN, 0};
    return reinterpret_cast<void*>(long{poll(&fd, 1, 20'000)});
}
void blocking(Ktap& ktap) {
    std::array<Pipe, 32> pipes;
    std::vector<pthread_t> threads;
    for (Pipe& one : pipes) {
        ktap.check(pipe(one.ends) == 0, "pipe");
        threads.push_back(start(&read_one, &one));
    }
    usleep(1000);
    for (std::size_t i = pipes.size(); i-- > 0;) { // the last first
        const char byte = static_cast<char>(i + 1);
        ktap.check(write(pipes[i].ends[1], &byte, 1) == 1, "write");
    }
    for (std::size_t i = 0; i < pipes.size(); ++i)
        ktap.check(join(threads[i]) == reinterpret_cast<void*>(i + 1), "byte of pipe %zu", i);
    const pthread_t polling = start(&poll_one, &pipes[0]);
    usleep(1000);
    ktap.check(write(pipes[0].ends[1], "x", 1) == 1 && join(polling) == reinterpret_cast<void*>(1), "poll");
    for (Pipe& one : pipes)
        for (const int end : one.ends)
            ktap.check(close(end) == 0, "close");
    ktap.test("a thread that waits for a pipe keeps no other waiting");
    int ends[2];
    ktap.check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    std::thread answering([&] {
        char text[8];
        const ssize_t got = recv(ends[1], text, sizeof text, 0);
        if (got > 0)
            (void)send(ends[1], text, static_cast<std::size_t>(got), 0);
    });
    char answer[8] = "";
    ktap.check(send(ends[0], "hello", 6, 0) == 6 && recv(ends[0], answer, sizeof answer, 0) == 6, "an answer");
    ktap.check(!strcmp(answer, "hello"), "answer %s", answer);
    answering.join();
    close(ends[0]);
    close(ends[1]);
    ktap.test("sockets between threads");
}

void* sleep_a_while(void* milliseconds) {
    const double begin = seconds_now();
    usleep(static_cast<useconds_t>(reinterpret_cast<long>(milliseconds) * 1000));
    return reinterpret_cast<void*>(static_cast<long>((seconds_now() - begin) * 1000));
}
void sleeping(Ktap& ktap) {
    const double begin = seconds_now();
    std::vector<pthread_t> threads;
    for (long i = 0; i < 20; ++i)
        threads.push_back(start(&sleep_a_while, reinterpret_cast<void*>(40 - 2 * i)));
    for (long i = 0; i < 20; ++i)
        ktap.check(reinterpret_cast<long>(join(threads[i])) >= 40 - 2 * i, "slept too short");
    ktap.check(seconds_now() - begin < 0.4, "they slept one after the other: %f s", seconds_now() - begin);
    timespec wrong{0, 1'000'000'000};
    ktap.check(nanosleep(&wrong, nullptr) == -1 && errno == EINVAL, "nanosleep of wrong nanoseconds");
    ktap.check(clock_nanosleep(CLOCK_MONOTONIC, 0, &wrong, nullptr) == EINVAL, "clock_nanosleep of wrong nanoseconds");
    timespec past{};
    ktap.check(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &past, nullptr) == 0, "until 1970");
    ktap.test("threads sleep side by side");
}

// --- C++ on top
void cpp(Ktap& ktap) {
    std::mutex mutex;
    std::condition_variable changed;
    std::shared_mutex shared;
    int turn = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&, i] {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return turn == i; });
            {
                std::shared_lock reading(shared);
                std::this_thread::yield();
            }
            std::unique_lock writing(shared);
            ++turn;
            changed.notify_all();
        });
    for (std::thread& thread : threads)
        thread.join();
    ktap.check(turn == 8, "turn %d", turn);
    std::unique_lock lock(mutex);
    ktap.check(changed.wait_for(lock, std::chrono::milliseconds(10)) == std::cv_status::timeout, "wait_for");
    bool caught = false;
    std::thread([&] {
        try {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            throw std::string("thrown");
        } catch (const std::string& what) {
            caught = what == "thrown";
        }
    }).join();
    ktap.check(caught, "an exception in a thread");
    ktap.test("C++: thread, mutex, condition_variable, shared_mutex, exceptions");
}

// --- C11 on top
struct C11 {
    mtx_t mutex;
    cnd_t changed;
    tss_t key;
    int turn = 0;
    std::atomic<int> destroyed = 0;
};
C11* c11_state;
once_flag c11_once = ONCE_FLAG_INIT;
int c11_onces = 0;

int c11_thread(void* argument) {
    C11& c11 = *c11_state;
    const int mine = static_cast<int>(reinterpret_cast<std::intptr_t>(argument));
    call_once(&c11_once, [] { ++c11_onces; });
    tss_set(c11.key, &c11);
    mtx_lock(&c11.mutex);
    while (c11.turn != mine)
        cnd_wait(&c11.changed, &c11.mutex);
    ++c11.turn;
    cnd_broadcast(&c11.changed);
    mtx_unlock(&c11.mutex);
    if (mine % 2 == 0)
        thrd_exit(tss_get(c11.key) == &c11 ? -mine : 99);
    return -mine;
}

void c11(Ktap& ktap) {
    C11 c11;
    c11_state = &c11;
    ktap.check(mtx_init(&c11.mutex, mtx_timed | mtx_recursive) == thrd_success, "mtx_init");
    ktap.check(cnd_init(&c11.changed) == thrd_success, "cnd_init");
    ktap.check(tss_create(&c11.key, [](void* state) { ++static_cast<C11*>(state)->destroyed; }) == thrd_success, "tss");
    thrd_t threads[8];
    for (int i = 7; i >= 0; --i)
        ktap.check(thrd_create(&threads[i], &c11_thread, reinterpret_cast<void*>(std::intptr_t{i})) == thrd_success,
                   "thrd_create");
    for (int i = 0; i < 8; ++i) {
        int result = 77;
        ktap.check(thrd_join(threads[i], &result) == thrd_success && result == -i, "thread %d: %d", i, result);
    }
    ktap.check(c11_onces == 1 && c11.destroyed == 8, "once %d, destroyed %d", c11_onces, c11.destroyed.load());
    ktap.check(mtx_lock(&c11.mutex) == thrd_success && mtx_trylock(&c11.mutex) == thrd_success, "a recursive mutex");
    timespec soon;
    timespec_get(&soon, TIME_UTC);
    ktap.check(cnd_timedwait(&c11.changed, &c11.mutex, &soon) == thrd_timedout, "cnd_timedwait");
    ktap.check(mtx_unlock(&c11.mutex) == thrd_success && mtx_unlock(&c11.mutex) == thrd_success, "mtx_unlock");
    ktap.check(thrd_equal(thrd_current(), thrd_current()) != 0, "thrd_current");
    const timespec moment{0, 1'000'000};
    ktap.check(thrd_sleep(&moment, nullptr) == 0, "thrd_sleep");
    thrd_yield();
    tss_delete(c11.key);
    cnd_destroy(&c11.changed);
    mtx_destroy(&c11.mutex);
    ktap.test("C11: threads, mutex, condition, once, thread-specific storage");
}

void* fork_inside(void*) {
    const pid_t child = fork();
    if (child == 0) {
        // The child has this thread alone; it may make others.
        const pthread_t thread = start(&echo, reinterpret_cast<void*>(5));
        _exit(join(thread) == reinterpret_cast<void*>(5) ? 3 : 4);
    }
    int status = 0;
    return reinterpret_cast<void*>(child > 0 && waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
}
void forks(Ktap& ktap) {
    ktap.check(fork_inside(nullptr) != nullptr, "fork by the main thread");
    ktap.check(join(start(&fork_inside)) == reinterpret_cast<void*>(1), "fork by another thread");
    ktap.check(system("exit 0") != -1, "system");
    ktap.test("fork");
}

void files(Ktap& ktap) {
    char path[] = "/tmp/pthreadsXXXXXX";
    const int made = mkstemp(path);
    ktap.check(made >= 0, "mkstemp");
    std::vector<std::thread> threads;
    std::atomic<int> good = 0;
    for (int i = 0; i < 16; ++i)
        threads.emplace_back([&, i] {
            const int fd = open(path, O_RDWR);
            char block[512];
            std::memset(block, 'a' + i, sizeof block);
            struct stat status {};
            bool right = pwrite(fd, block, sizeof block, i * 512) == 512 && fstat(fd, &status) == 0 &&
                         status.st_size >= (i + 1) * 512;
            std::memset(block, 0, sizeof block);
            right =
                right && pread(fd, block, sizeof block, i * 512) == 512 && block[0] == 'a' + i && block[511] == 'a' + i;
            good += right && close(fd) == 0;
        });
    for (std::thread& thread : threads)
        thread.join();
    ktap.check(good == 16, "%d of 16 threads", good.load());
    struct stat status {};
    ktap.check(fstat(made, &status) == 0 && status.st_size == 16 * 512, "size %ld", static_cast<long>(status.st_size));
    close(made);
    unlink(path);
    ktap.test("files from many threads");
}

} // namespace

int main() {
    Ktap ktap(28);
    create_and_join(ktap);
    detached(ktap);
    join_with_limits(ktap);
    exits(ktap);
    attributes(ktap);
    names(ktap);
    tls(ktap);
    mutexes(ktap);
    conditions(ktap);
    rwlocks(ktap);
    semaphores(ktap);
    barriers(ktap);
    spin_locks(ktap);
    once_only(ktap);
    specific(ktap);
    blocking(ktap);
    sleeping(ktap);
    cpp(ktap);
    c11(ktap);
    forks(ktap);
    files(ktap);
    return ktap.finish();
}

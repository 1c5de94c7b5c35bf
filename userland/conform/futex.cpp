// futex(2) and robust lists against the manual pages.
#include <atomic>
#include <cerrno>
#include <climits>
#include <ctime>
#include <initializer_list>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace {

tollgate::Ktap ktap(8);

long futex(void* word, int operation, unsigned value, const void* timeout = nullptr, void* second = nullptr,
           unsigned value3 = 0) {
    return syscall(SYS_futex, word, operation, value, timeout, second, value3);
}
long long now(clockid_t clock = CLOCK_MONOTONIC) {
    timespec t{};
    clock_gettime(clock, &t);
    return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}
timespec in(long long ns) { return {ns / 1'000'000'000, ns % 1'000'000'000}; }
void pause_ms(int ms) {
    const timespec t = in(ms * 1'000'000LL);
    nanosleep(&t, nullptr);
}

#define FAILS(call, error)                                                                                             \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        const long result = (call);                                                                                    \
        ktap.check(result == -1 && errno == (error), #call ": %ld, errno %d", result, errno);                          \
    } while (false)

void errors() {
    alignas(8) unsigned words[2] = {7, 7};
    for (const int operation : {FUTEX_WAIT, FUTEX_WAIT_PRIVATE, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_PRIVATE})
        FAILS(futex(reinterpret_cast<char*>(words) + 1, operation, 7, nullptr, nullptr, 1), EINVAL);
    for (const unsigned long bad : {0UL, 0x800000000000UL, 0xffffffff80000000UL, -16UL})
        FAILS(futex(reinterpret_cast<void*>(bad), FUTEX_WAIT_PRIVATE, 7), EFAULT);
    FAILS(futex(words, FUTEX_WAIT, 8), EAGAIN);
    FAILS(futex(words, FUTEX_WAIT_BITSET, 8, nullptr, nullptr, 1), EAGAIN);
    FAILS(futex(words, FUTEX_WAIT_BITSET, 7, nullptr, nullptr, 0), EINVAL);
    FAILS(futex(words, FUTEX_WAKE_BITSET, 7, nullptr, nullptr, 0), EINVAL);
    FAILS(futex(words, FUTEX_WAIT, 7, reinterpret_cast<void*>(1)), EFAULT);
    for (const timespec bad : {timespec{-1, 0}, timespec{0, -1}, timespec{0, 1'000'000'000}})
        FAILS(futex(words, FUTEX_WAIT, 7, &bad), EINVAL);
    FAILS(futex(words, 99, 0), ENOSYS);
    FAILS(futex(words, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1), ENOSYS);
    FAILS(futex(words, FUTEX_CMP_REQUEUE, 1, nullptr, words + 1, 8), EAGAIN);
    ktap.check(futex(words, FUTEX_WAKE, INT_MAX) == 0 && futex(words, FUTEX_WAKE_PRIVATE, INT_MAX) == 0,
               "a wake without waiters woke some");
    ktap.test("errors");
}

void timeouts() {
    unsigned word = 7;
    for (const long long span : {0LL, 1'000'000LL, 15'000'000LL}) {
        const long long start = now();
        const timespec t = in(span);
        FAILS(futex(&word, FUTEX_WAIT, 7, &t), ETIMEDOUT);
        ktap.check(now() - start >= span, "a wait of %lld ns took %lld", span, now() - start);
    }
    long long until = now() + 5'000'000;
    timespec t = in(until);
    FAILS(futex(&word, FUTEX_WAIT_BITSET, 7, &t, nullptr, ~0u), ETIMEDOUT);
    ktap.check(now() >= until, "an absolute wait ended early");
    until = now(CLOCK_REALTIME) + 5'000'000;
    t = in(until);
    FAILS(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 7, &t, nullptr, ~0u), ETIMEDOUT);
    ktap.check(now(CLOCK_REALTIME) >= until, "a wait by the wall clock ended early");
    t = in(1);
    FAILS(futex(&word, FUTEX_WAIT_BITSET, 7, &t, nullptr, ~0u), ETIMEDOUT);
    ktap.test("timeouts, relative and absolute, on both clocks");
}

struct Waiters {
    unsigned words[2] = {0, 0};
    std::atomic<int> waiting{0}, woken{0};
    unsigned bits = ~0u;
    pthread_t threads[8];
    int count = 0;

    static void* run(void* argument) {
        auto& self = *static_cast<Waiters*>(argument);
        ++self.waiting;
        if (futex(&self.words[0], FUTEX_WAIT_BITSET_PRIVATE, 0, nullptr, nullptr, self.bits) == 0)
            ++self.woken;
        return nullptr;
    }
    void start(int many) {
        for (int i = 0; i < many; ++i)
            pthread_create(&threads[count++], nullptr, run, this);
        while (waiting.load() < count)
            pause_ms(1);
        pause_ms(20); // they are in the call now
    }
    bool become(int many) {
        for (int i = 0; i < 2000 && woken.load() < many; ++i)
            pause_ms(1);
        pause_ms(5);
        return woken.load() == many;
    }
    void join() {
        for (int i = 0; i < count; ++i)
            pthread_join(threads[i], nullptr);
    }
};

void waking() {
    Waiters all;
    all.start(6);
    ktap.check(futex(&all.words[0], FUTEX_WAKE_PRIVATE, 2) == 2 && all.become(2), "woke %d instead of 2",
               all.woken.load());
    ktap.check(futex(&all.words[0], FUTEX_WAKE_BITSET_PRIVATE, 1, nullptr, nullptr, 4) == 1 && all.become(3), "bitset");
    ktap.check(futex(&all.words[1], FUTEX_WAKE_PRIVATE, 8) == 0, "the neighbour's waiters");
    ktap.check(futex(&all.words[0], FUTEX_WAKE_PRIVATE, INT_MAX) == 3 && all.become(6), "all");
    all.join();
    Waiters some;
    some.bits = 2;
    some.start(1);
    ktap.check(futex(&some.words[0], FUTEX_WAKE_BITSET_PRIVATE, 8, nullptr, nullptr, 5) == 0, "woken by other bits");
    ktap.check(futex(&some.words[0], FUTEX_WAKE_PRIVATE, 8) == 1, "a plain wake has all bits");
    some.join();
    ktap.test("wake as many as told, by bits");
}

void requeueing() {
    Waiters all;
    all.start(6);
    const auto two = reinterpret_cast<void*>(2L);
    FAILS(futex(&all.words[0], FUTEX_CMP_REQUEUE_PRIVATE, 1, two, &all.words[1], 1), EAGAIN);
    ktap.check(futex(&all.words[0], FUTEX_CMP_REQUEUE_PRIVATE, 1, two, &all.words[1], 0) == 3, "1 woken and 2 moved");
    ktap.check(all.become(1), "%d woken", all.woken.load());
    ktap.check(futex(&all.words[1], FUTEX_WAKE_PRIVATE, 8) == 2 && all.become(3), "the moved ones");
    ktap.check(futex(&all.words[0], FUTEX_REQUEUE_PRIVATE, 0, reinterpret_cast<void*>(8L), &all.words[1]) >= 0,
               "requeue");
    ktap.check(futex(&all.words[0], FUTEX_WAKE_PRIVATE, 8) == 0, "all were moved");
    ktap.check(futex(&all.words[1], FUTEX_WAKE_PRIVATE, 8) == 3 && all.become(6), "the rest");
    all.join();
    ktap.test("requeue");
}

void wake_operation() {
    unsigned first = 0;
    struct Case {
        int operation, argument, comparison, compared;
        unsigned before, after;
    };
    for (const Case& c :
         {Case{FUTEX_OP_SET, 9, FUTEX_OP_CMP_EQ, 5, 5, 9}, Case{FUTEX_OP_ADD, 3, FUTEX_OP_CMP_NE, 5, 5, 8},
          Case{FUTEX_OP_OR, 8, FUTEX_OP_CMP_LT, 6, 5, 13}, Case{FUTEX_OP_ANDN, 4, FUTEX_OP_CMP_LE, 5, 5, 1},
          Case{FUTEX_OP_XOR, 1, FUTEX_OP_CMP_GT, 4, 5, 4}, Case{FUTEX_OP_ADD, -1, FUTEX_OP_CMP_GE, 5, 5, 4},
          Case{FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 4, FUTEX_OP_CMP_EQ, 5, 5, 21}}) {
        unsigned second = c.before;
        const unsigned packed =
            static_cast<unsigned>(c.operation & 15) << 28 | static_cast<unsigned>(c.comparison) << 24 |
            (static_cast<unsigned>(c.argument) & 0xfff) << 12 | (static_cast<unsigned>(c.compared) & 0xfff);
        const long result = futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, reinterpret_cast<void*>(1L), &second, packed);
        ktap.check(result == 0 && second == c.after, "operation %d: %ld, the word became %u", c.operation, result,
                   second);
    }
    FAILS(futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, nullptr, reinterpret_cast<char*>(&first) + 1, 0), EINVAL);
    FAILS(futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, nullptr, reinterpret_cast<void*>(0xffffffff80000000), 0), EFAULT);
    Waiters all;
    all.start(2);
    unsigned second = 5;
    ktap.check(futex(&second, FUTEX_WAKE_OP_PRIVATE, 1, reinterpret_cast<void*>(8L), &all.words[0],
                     FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0)) == 2,
               "the second word's waiters");
    all.join();
    ktap.test("wake and change a second word");
}

void shared() {
    auto* word = static_cast<std::atomic<unsigned>*>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (word == MAP_FAILED) {
        ktap.check(false, "no shared memory: errno %d", errno);
        ktap.test("between processes");
        return;
    }
    const pid_t child = fork();
    if (child == 0) {
        const timespec most = in(20'000'000'000);
        while (word[0] == 0)
            if (futex(word, FUTEX_WAIT, 0, &most) == -1 && errno == ETIMEDOUT)
                _exit(1);
        word[1] = 1;
        futex(word + 1, FUTEX_WAKE, 1);
        _exit(0);
    }
    pause_ms(20);
    word[0] = 1;
    futex(word, FUTEX_WAKE, 1);
    const timespec most = in(20'000'000'000);
    while (word[1] == 0)
        if (futex(word + 1, FUTEX_WAIT, 0, &most) == -1 && errno == ETIMEDOUT)
            break;
    int status = -1;
    waitpid(child, &status, 0);
    ktap.check(word[1] == 1 && status == 0, "status %#x", static_cast<unsigned>(status));
    ktap.test("between processes");
}

void robust() {
    void* head = nullptr;
    size_t size = 0;
    ktap.check(syscall(SYS_get_robust_list, 0, &head, &size) == 0 && size == 24 && head != nullptr, "get_robust_list");
    FAILS(syscall(SYS_set_robust_list, head, 23), EINVAL);
    FAILS(syscall(SYS_get_robust_list, 0x3ffffff, &head, &size), ESRCH);
    FAILS(syscall(SYS_get_robust_list, 0, 1L, &size), EFAULT);

    static pthread_mutex_t mutexes[3];
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    for (auto& mutex : mutexes)
        pthread_mutex_init(&mutex, &attributes);
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
            for (auto& mutex : mutexes)
                pthread_mutex_lock(&mutex);
            pause_ms(20); // let the other one wait for the first
            return nullptr;
        },
        nullptr);
    pause_ms(10);
    for (auto& mutex : mutexes) {
        const int result = pthread_mutex_lock(&mutex);
        ktap.check(result == EOWNERDEAD, "locking a dead owner's mutex: %d", result);
        ktap.check(pthread_mutex_consistent(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0, "making it consistent");
    }
    pthread_join(thread, nullptr);

    // A list that is a circle or leads nowhere ends the thread all the same.
    for (int kind = 0; kind < 3; ++kind) {
        static struct { void *next, *offset, *pending; } list;
        static void* entry;
        entry = &entry;
        list = {kind == 0   ? static_cast<void*>(&entry)
                : kind == 1 ? reinterpret_cast<void*>(0xffffffff80000000)
                            : nullptr,
                reinterpret_cast<void*>(8), nullptr};
        pthread_create(
            &thread, nullptr,
            [](void*) -> void* {
                syscall(SYS_set_robust_list, &list, 24);
                return nullptr;
            },
            nullptr);
        ktap.check(pthread_join(thread, nullptr) == 0, "list %d", kind);
    }
    ktap.test("robust lists");
}

void id_words() {
    // CLONE_CHILD_CLEARTID through set_tid_address: zeroed and woken when the thread ends.
    static std::atomic<int> word{1};
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
            syscall(SYS_set_tid_address, &word);
            syscall(SYS_exit, 0);
            return nullptr;
        },
        nullptr);
    const timespec most = in(10'000'000'000);
    while (word == 1)
        if (futex(&word, FUTEX_WAIT, 1, &most) == -1 && errno == ETIMEDOUT)
            break;
    ktap.check(word == 0, "the word is %d", word.load());
    ktap.test("a thread's end clears its word and wakes");
}

} // namespace

int main() {
    errors();
    timeouts();
    waking();
    requeueing();
    wake_operation();
    shared();
    robust();
    id_words();
    return ktap.finish();
}

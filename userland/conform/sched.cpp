// The scheduler's calls against the manual pages, and that all CPUs are used.
#include <cerrno>
#include <ctime>
#include <initializer_list>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace {

tollgate::Ktap ktap(6);
constexpr int kNobody = 0x3ffffff;

#define FAILS(call, error)                                                                                             \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        const long result = (call);                                                                                    \
        ktap.check(result == -1 && errno == (error), #call ": %ld, errno %d", result, errno);                          \
    } while (false)

void affinity() {
    cpu_set_t all;
    CPU_ZERO(&all);
    ktap.check(sched_getaffinity(0, sizeof all, &all) == 0 && CPU_COUNT(&all) >= 1, "sched_getaffinity");
    ktap.check(syscall(SYS_sched_getaffinity, 0, sizeof all, &all) >= 8, "how many bytes");
    FAILS(syscall(SYS_sched_getaffinity, 0, 7, &all), EINVAL);
    FAILS(syscall(SYS_sched_getaffinity, 0, 0, &all), EINVAL);
    FAILS(syscall(SYS_sched_getaffinity, 0, 128, 1L), EFAULT);
    FAILS(sched_getaffinity(kNobody, sizeof all, &all), ESRCH);
    FAILS(sched_setaffinity(kNobody, sizeof all, &all), ESRCH);
    FAILS(syscall(SYS_sched_setaffinity, 0, 8, 1L), EFAULT);
    cpu_set_t none;
    CPU_ZERO(&none);
    FAILS(sched_setaffinity(0, sizeof none, &none), EINVAL);
    for (int cpu = 0; cpu < 64; ++cpu) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        cpu_set_t one, got;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        ktap.check(sched_setaffinity(gettid(), sizeof one, &one) == 0, "to CPU %d: errno %d", cpu, errno);
        ktap.check(sched_getaffinity(0, sizeof got, &got) == 0 && CPU_EQUAL(&one, &got), "another set on CPU %d", cpu);
        unsigned here = ~0u, node = ~0u;
        ktap.check(syscall(SYS_getcpu, &here, &node, nullptr) == 0 && here == static_cast<unsigned>(cpu), "getcpu: %u",
                   here);
    }
    sched_setaffinity(0, sizeof all, &all);
    ktap.check(syscall(SYS_getcpu, nullptr, nullptr, nullptr) == 0, "getcpu of nothing");
    FAILS(syscall(SYS_getcpu, 1L, nullptr, nullptr), EFAULT);
    ktap.test("affinity and getcpu");

    // Of another thread, which does not run at the moment.
    static pid_t other;
    static volatile bool stop;
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
            __atomic_store_n(&other, gettid(), __ATOMIC_SEQ_CST);
            while (!stop) {
                const timespec t{0, 1'000'000};
                nanosleep(&t, nullptr);
            }
            unsigned here = 0;
            syscall(SYS_getcpu, &here, nullptr, nullptr);
            return reinterpret_cast<void*>(static_cast<long>(here));
        },
        nullptr);
    while (__atomic_load_n(&other, __ATOMIC_SEQ_CST) == 0)
        sched_yield();
    int last = 0;
    for (int cpu = 0; cpu < 64; ++cpu)
        if (CPU_ISSET(cpu, &all))
            last = cpu;
    cpu_set_t one, got;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    ktap.check(sched_setaffinity(other, sizeof one, &one) == 0, "of another thread: errno %d", errno);
    ktap.check(sched_getaffinity(other, sizeof got, &got) == 0 && CPU_EQUAL(&one, &got), "of another thread");
    stop = true;
    void* where = nullptr;
    pthread_join(thread, &where);
    ktap.check(reinterpret_cast<long>(where) == last, "it ran on CPU %ld instead of %d", reinterpret_cast<long>(where),
               last);
    ktap.test("another thread's affinity");
}

void policies() {
    ktap.check(sched_getscheduler(0) == SCHED_OTHER, "the policy is %d", sched_getscheduler(0));
    sched_param parameter{};
    ktap.check(sched_getparam(0, &parameter) == 0 && parameter.sched_priority == 0, "sched_getparam");
    ktap.check(sched_setscheduler(0, SCHED_OTHER, &parameter) == 0 && sched_setparam(0, &parameter) == 0,
               "SCHED_OTHER");
    ktap.check(sched_setscheduler(0, SCHED_BATCH, &parameter) == 0 && sched_getscheduler(0) == SCHED_BATCH,
               "SCHED_BATCH");
    ktap.check(sched_setscheduler(0, SCHED_OTHER, &parameter) == 0, "back to SCHED_OTHER");
    for (const int policy : {SCHED_FIFO, SCHED_RR})
        FAILS(sched_setscheduler(0, policy, &parameter), EINVAL);
    parameter.sched_priority = 1;
    FAILS(sched_setscheduler(0, SCHED_OTHER, &parameter), EINVAL);
    FAILS(sched_setparam(0, &parameter), EINVAL);
    parameter.sched_priority = 0;
    FAILS(sched_setscheduler(0, 77, &parameter), EINVAL);
    FAILS(sched_setscheduler(kNobody, SCHED_OTHER, &parameter), ESRCH);
    FAILS(sched_getscheduler(kNobody), ESRCH);
    FAILS(sched_getscheduler(-1), EINVAL);
    FAILS(sched_getparam(kNobody, &parameter), ESRCH);
    FAILS(syscall(SYS_sched_getparam, 0, nullptr), EINVAL);
    FAILS(syscall(SYS_sched_getparam, 0, 1L), EFAULT);
    FAILS(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, 1L), EFAULT);
    ktap.test("policies");
    for (const int policy : {SCHED_FIFO, SCHED_RR})
        ktap.check(sched_get_priority_min(policy) == 1 && sched_get_priority_max(policy) == 99, "priorities of %d",
                   policy);
    for (const int policy : {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE})
        ktap.check(sched_get_priority_min(policy) == 0 && sched_get_priority_max(policy) == 0, "priorities of %d",
                   policy);
    FAILS(sched_get_priority_max(77), EINVAL);
    FAILS(sched_get_priority_min(-1), EINVAL);
    timespec interval{-1, -1};
    ktap.check(sched_rr_get_interval(0, &interval) == 0 && interval.tv_nsec >= 0, "sched_rr_get_interval");
    FAILS(sched_rr_get_interval(kNobody, &interval), ESRCH);
    FAILS(syscall(SYS_sched_rr_get_interval, 0, 1L), EFAULT);
    struct {
        unsigned size, policy;
        unsigned long flags;
        int nice;
        unsigned priority;
        unsigned long runtime, deadline, period;
        unsigned long more[8];
    } attributes{};
    ktap.check(syscall(SYS_sched_getattr, 0, &attributes, 48, 0) == 0 && attributes.size >= 48 &&
                   attributes.policy == SCHED_OTHER,
               "sched_getattr: size %u", attributes.size);
    FAILS(syscall(SYS_sched_getattr, 0, &attributes, 47, 0), EINVAL);
    FAILS(syscall(SYS_sched_getattr, 0, &attributes, 48, 1), EINVAL);
    FAILS(syscall(SYS_sched_getattr, 0, nullptr, 48, 0), EINVAL);
    FAILS(syscall(SYS_sched_setattr, 0, nullptr, 0), EINVAL);
    FAILS(syscall(SYS_ioprio_get, 9, 0), EINVAL);
    ktap.check(syscall(SYS_ioprio_get, 1, 0) >= 0, "ioprio_get");
    ktap.test("priorities, intervals, attributes");
}

void fairness() {
    // Two that never sleep on one CPU: both get on.
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < 64; ++cpu)
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &one);
            break;
        }
    static unsigned long counts[2];
    static volatile bool stop;
    sched_setaffinity(0, sizeof one, &one);
    pthread_t threads[2];
    for (unsigned long& count : counts)
        pthread_create(
            &threads[&count - counts], nullptr,
            [](void* argument) -> void* {
                while (!stop)
                    __atomic_fetch_add(static_cast<unsigned long*>(argument), 1, __ATOMIC_RELAXED);
                return nullptr;
            },
            &count);
    const timespec t{0, 200'000'000};
    nanosleep(&t, nullptr);
    stop = true;
    for (const pthread_t thread : threads)
        pthread_join(thread, nullptr);
    sched_setaffinity(0, sizeof all, &all);
    ktap.check(counts[0] > 1000 && counts[1] > 1000 && counts[0] / 8 < counts[1] && counts[1] / 8 < counts[0],
               "%lu and %lu turns", counts[0], counts[1]);
    for (int i = 0; i < 1000; ++i)
        ktap.check(sched_yield() == 0, "sched_yield");
    ktap.test("two on one CPU share it");

    // As many that never sleep as there are CPUs: every CPU is found used.
    static unsigned long seen;
    static volatile bool done;
    const int cpus = CPU_COUNT(&all);
    pthread_t busy[64];
    for (int i = 0; i < cpus; ++i)
        pthread_create(
            &busy[i], nullptr,
            [](void*) -> void* {
                while (!done) {
                    unsigned here = 0;
                    syscall(SYS_getcpu, &here, nullptr, nullptr);
                    __atomic_fetch_or(&seen, 1UL << here, __ATOMIC_SEQ_CST);
                }
                return nullptr;
            },
            nullptr);
    unsigned long wanted = 0;
    for (int cpu = 0; cpu < 64; ++cpu)
        if (CPU_ISSET(cpu, &all))
            wanted |= 1UL << cpu;
    for (int i = 0; i < 500 && __atomic_load_n(&seen, __ATOMIC_SEQ_CST) != wanted; ++i) {
        const timespec tick{0, 10'000'000};
        nanosleep(&tick, nullptr);
    }
    done = true;
    for (int i = 0; i < cpus; ++i)
        pthread_join(busy[i], nullptr);
    ktap.check(seen == wanted, "CPUs %#lx of %#lx", seen, wanted);
    ktap.test("all CPUs are used");
}

} // namespace

int main() {
    affinity();
    policies();
    fairness();
    return ktap.finish();
}

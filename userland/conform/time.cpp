// Clocks, sleeping and CPU time against POSIX and the manual pages.
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace {

tollgate::Ktap ktap(12);

long long nanoseconds(const timespec& t) { return t.tv_sec * 1'000'000'000LL + t.tv_nsec; }
long long now(clockid_t clock = CLOCK_MONOTONIC) {
    timespec t{};
    syscall(SYS_clock_gettime, clock, &t);
    return nanoseconds(t);
}
timespec in(long long ns) { return {ns / 1'000'000'000, ns % 1'000'000'000}; }

#define FAILS(call, error)                                                                                             \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        const long result = (call);                                                                                    \
        ktap.check(result == -1 && errno == (error), #call ": %ld, errno %d", result, errno);                          \
    } while (false)

void* const bad_pointers[] = {nullptr,
                              reinterpret_cast<void*>(1),
                              reinterpret_cast<void*>(0x7ffffffff001),
                              reinterpret_cast<void*>(0x800000000000),
                              reinterpret_cast<void*>(0xffffffff80000000),
                              reinterpret_cast<void*>(-16L)};

void burn(long long ns) {
    const long long until = now(CLOCK_THREAD_CPUTIME_ID) + ns;
    while (now(CLOCK_THREAD_CPUTIME_ID) < until)
        for (int i = 0; i < 1000; ++i)
            asm volatile("");
}

void clocks() {
    for (const clockid_t clock :
         {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
          CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI}) {
        long long last = now(clock);
        for (int i = 0; i < 100; ++i) {
            const long long next = now(clock);
            ktap.check(next >= last, "clock %d went from %lld to %lld", clock, last, next);
            last = next;
        }
        timespec resolution{-1, -1};
        ktap.check(syscall(SYS_clock_getres, clock, &resolution) == 0 && nanoseconds(resolution) >= 1 &&
                       nanoseconds(resolution) <= 20'000'000,
                   "clock %d has resolution %lld", clock, nanoseconds(resolution));
        ktap.check(syscall(SYS_clock_getres, clock, nullptr) == 0, "clock_getres(%d, null)", clock);
        for (void* bad : bad_pointers) {
            FAILS(syscall(SYS_clock_gettime, clock, bad), EFAULT);
            if (bad != nullptr)
                FAILS(syscall(SYS_clock_getres, clock, bad), EFAULT);
        }
    }
    ktap.test("clocks go forward, and have a resolution");
    timespec t{};
    for (const int clock : {12, 13, 16, 100, 0x7fffffff, -1}) {
        FAILS(syscall(SYS_clock_gettime, clock, &t), EINVAL);
        FAILS(syscall(SYS_clock_getres, clock, &t), EINVAL);
    }
    ktap.test("ids that are no clock");
    ktap.check(now(CLOCK_REALTIME) > 1'600'000'000LL * 1'000'000'000, "the wall clock says %lld", now(CLOCK_REALTIME));
    timeval tv{};
    struct timezone zone {
        77, 77
    };
    ktap.check(syscall(SYS_gettimeofday, &tv, &zone) == 0 && tv.tv_usec >= 0 && tv.tv_usec < 1'000'000, "gettimeofday");
    ktap.check(std::llabs(tv.tv_sec - now(CLOCK_REALTIME) / 1'000'000'000) <= 1, "gettimeofday says %ld", tv.tv_sec);
    ktap.check(syscall(SYS_gettimeofday, nullptr, nullptr) == 0, "gettimeofday(null, null)");
    FAILS(syscall(SYS_gettimeofday, 1L, nullptr), EFAULT);
    FAILS(syscall(SYS_gettimeofday, nullptr, 1L), EFAULT);
    time_t stored = 0;
    const long returned = syscall(SYS_time, &stored);
    ktap.check(returned == stored && std::llabs(stored - tv.tv_sec) <= 1, "time: %ld, stored %ld", returned, stored);
    FAILS(syscall(SYS_time, 1L), EFAULT);
    ktap.test("the wall clock");
}

void sleeping() {
    for (const long long span : {0LL, 1LL, 1'000'000LL, 20'000'000LL}) {
        const long long start = now();
        const timespec t = in(span);
        ktap.check(nanosleep(&t, nullptr) == 0 && now() - start >= span, "nanosleep(%lld) took %lld", span,
                   now() - start);
    }
    for (const timespec bad : {timespec{-1, 0}, timespec{0, -1}, timespec{0, 1'000'000'000}}) {
        FAILS(nanosleep(&bad, nullptr), EINVAL);
        ktap.check(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, nullptr) == EINVAL, "clock_nanosleep takes a bad time");
    }
    for (void* bad : bad_pointers)
        FAILS(syscall(SYS_nanosleep, bad, nullptr), EFAULT);
    ktap.test("nanosleep sleeps, and no less");
    for (const clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI}) {
        const long long until = now(clock) + 5'000'000;
        const timespec t = in(until);
        ktap.check(clock_nanosleep(clock, TIMER_ABSTIME, &t, nullptr) == 0 && now(clock) >= until,
                   "clock %d woke early", clock);
        const timespec past = in(1);
        ktap.check(clock_nanosleep(clock, TIMER_ABSTIME, &past, nullptr) == 0, "clock %d: a past time", clock);
        const timespec span = in(1'000'000);
        ktap.check(clock_nanosleep(clock, 0, &span, nullptr) == 0, "clock %d: a span", clock);
    }
    const timespec t = in(1);
    ktap.check(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, nullptr) == EINVAL, "sleeping by one's own CPU time");
    ktap.check(clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &t, nullptr) == ENOTSUP, "sleeping by the raw clock");
    ktap.check(clock_nanosleep(CLOCK_MONOTONIC_COARSE, 0, &t, nullptr) == ENOTSUP, "sleeping by a coarse clock");
    ktap.check(clock_nanosleep(77, 0, &t, nullptr) == EINVAL, "sleeping by no clock");
    ktap.test("clock_nanosleep");
}

void cpu_time() {
    const long long before = now(CLOCK_THREAD_CPUTIME_ID), process = now(CLOCK_PROCESS_CPUTIME_ID);
    const timespec t = in(50'000'000);
    nanosleep(&t, nullptr);
    ktap.check(now(CLOCK_THREAD_CPUTIME_ID) - before < 25'000'000, "sleeping took %lld of CPU time",
               now(CLOCK_THREAD_CPUTIME_ID) - before);
    burn(20'000'000);
    ktap.check(now(CLOCK_THREAD_CPUTIME_ID) - before >= 20'000'000, "burning took too little");
    ktap.check(now(CLOCK_PROCESS_CPUTIME_ID) - process >= 20'000'000, "the process's clock stands");
    ktap.test("CPU time counts running, not sleeping");

    static long long thread_time;
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
            burn(20'000'000);
            clockid_t mine;
            pthread_getcpuclockid(pthread_self(), &mine);
            thread_time = now(mine);
            return nullptr;
        },
        nullptr);
    pthread_join(thread, nullptr);
    ktap.check(thread_time >= 20'000'000, "pthread_getcpuclockid's clock says %lld", thread_time);
    ktap.check(now(CLOCK_PROCESS_CPUTIME_ID) - process >= 40'000'000, "an ended thread's time is lost");
    clockid_t own, mine;
    ktap.check(clock_getcpuclockid(0, &own) == 0 && std::llabs(now(own) - now(CLOCK_PROCESS_CPUTIME_ID)) < 100'000'000,
               "clock_getcpuclockid(0)");
    ktap.check(clock_getcpuclockid(getpid(), &own) == 0 && now(own) > 0, "clock_getcpuclockid(own id)");
    ktap.check(clock_getcpuclockid(0x3ffffff, &own) == ESRCH, "the clock of nobody");
    pthread_getcpuclockid(pthread_self(), &mine);
    ktap.check(std::llabs(now(mine) - now(CLOCK_THREAD_CPUTIME_ID)) < 100'000'000, "the own thread's clock");
    ktap.test("CPU clocks of processes and threads");

    rusage usage{};
    ktap.check(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage");
    const long long used =
        (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000LL + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    ktap.check(std::llabs(used - now(CLOCK_PROCESS_CPUTIME_ID) / 1000) < 500'000, "getrusage says %lld us", used);
    const pid_t child = fork();
    if (child == 0) {
        burn(40'000'000);
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    tms times_now{};
    ktap.check(times(&times_now) != static_cast<clock_t>(-1), "times");
    ktap.check(times_now.tms_cutime + times_now.tms_cstime >= 3, "children: %ld ticks",
               times_now.tms_cutime + times_now.tms_cstime);
    ktap.check(getrusage(RUSAGE_CHILDREN, &usage) == 0 && usage.ru_utime.tv_sec * 1'000'000 + usage.ru_utime.tv_usec +
                                                                  usage.ru_stime.tv_sec * 1'000'000 +
                                                                  usage.ru_stime.tv_usec >=
                                                              30'000,
               "getrusage of the children");
    ktap.test("getrusage and times");
}

void setting() {
    timespec t{};
    FAILS(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &t), EINVAL);
    FAILS(syscall(SYS_clock_settime, CLOCK_REALTIME, 1L), EFAULT);
    t = {0, 1'000'000'000};
    FAILS(syscall(SYS_clock_settime, CLOCK_REALTIME, &t), EINVAL);
    t = {-1, 0};
    FAILS(syscall(SYS_clock_settime, CLOCK_REALTIME, &t), EINVAL);
    const timeval bad{0, 1'000'000};
    FAILS(syscall(SYS_settimeofday, &bad, nullptr), EINVAL);
    FAILS(syscall(SYS_settimeofday, 1L, nullptr), EFAULT);
    ktap.test("times that cannot be set");

    // As nobody, in a child: the clock of a host is not ours to change.
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(1);
        timespec wall{};
        clock_gettime(CLOCK_REALTIME, &wall);
        const bool refused = clock_settime(CLOCK_REALTIME, &wall) == -1 && errno == EPERM;
        const timeval coarse{wall.tv_sec, 0};
        _exit(refused && settimeofday(&coarse, nullptr) == -1 && errno == EPERM ? 0 : 2);
    }
    int status = -1;
    waitpid(child, &status, 0);
    ktap.check(status == 0, "status %#x", static_cast<unsigned>(status));
    ktap.test("setting the clock takes a right");

    timex adjustment{};
    const int state = adjtimex(&adjustment);
    ktap.check(state >= 0 && state <= 5, "adjtimex: %d", state);
    ktap.check(std::llabs(adjustment.time.tv_sec - now(CLOCK_REALTIME) / 1'000'000'000) <= 1, "adjtimex's time");
    ktap.check(adjustment.tick >= 9000 && adjustment.tick <= 11000, "tick %ld", adjustment.tick);
    FAILS(syscall(SYS_adjtimex, 1L), EFAULT);
    ktap.test("adjtimex reads");
}

void agreement() {
    // Two clocks of one source: after a while they have gone equally far.
    const long long monotonic = now(), wall = now(CLOCK_REALTIME), raw = now(CLOCK_MONOTONIC_RAW);
    burn(30'000'000);
    const long long m = now() - monotonic, w = now(CLOCK_REALTIME) - wall, r = now(CLOCK_MONOTONIC_RAW) - raw;
    ktap.check(std::llabs(m - w) < 10'000'000 && std::llabs(m - r) < 10'000'000, "%lld, %lld, %lld", m, w, r);
    ktap.test("the clocks run at one speed");
}

} // namespace

int main() {
    clocks();
    sleeping();
    cpu_time();
    setting();
    agreement();
    return ktap.finish();
}

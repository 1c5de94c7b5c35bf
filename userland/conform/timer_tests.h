// What the parts of conform-timer share, and the parts in the order in which they run.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/conform/outcomes.h"
#include "userland/lib/ktap.h"

namespace tollgate::conform {

constexpr long kMillisecond = 1'000'000;
inline volatile sig_atomic_t caught;
inline siginfo_t last_info;
inline volatile pid_t last_thread;
inline void remember(int, siginfo_t* info, void*) {
    last_info = *info;
    last_thread = static_cast<pid_t>(syscall(SYS_gettid));
    caught = caught + 1;
}
inline void handle(int signal) {
    struct sigaction action {};
    action.sa_sigaction = remember;
    action.sa_flags = SA_SIGINFO;
    sigaction(signal, &action, nullptr);
    caught = 0;
    last_info = {};
}
inline void pause_ms(long milliseconds) {
    timespec time{milliseconds / 1000, milliseconds % 1000 * kMillisecond};
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {
    }
}
/// Waits until the handler has run so often; false after some seconds.
inline bool wait_caught(int times) {
    for (int i = 0; i < 10'000 && caught < times; ++i)
        pause_ms(1);
    return caught >= times;
}
inline timespec now(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return time;
}
inline timespec in_ms(clockid_t clock, long milliseconds) {
    timespec time = now(clock);
    time.tv_nsec += milliseconds % 1000 * kMillisecond;
    time.tv_sec += milliseconds / 1000 + time.tv_nsec / 1'000'000'000;
    time.tv_nsec %= 1'000'000'000;
    return time;
}
/// Uses the processor until `done`.
template <class F>
bool burn_until(F&& done) {
    const timespec start = now(CLOCK_MONOTONIC);
    volatile unsigned work = 0;
    while (!done()) {
        for (int i = 0; i < 10'000; ++i)
            work = work + 1;
        if (now(CLOCK_MONOTONIC).tv_sec - start.tv_sec > 20)
            return false;
    }
    return true;
}

void test_alarm(Ktap& ktap);
void test_posix_timers(Ktap& ktap);
void test_timerfd(Ktap& ktap);
void test_signalfd(Ktap& ktap);

} // namespace tollgate::conform

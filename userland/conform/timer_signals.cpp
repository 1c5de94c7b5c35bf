// Timers that send signals: alarm, setitimer, timer_create.
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <initializer_list>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/conform/timer_tests.h"

namespace tollgate::conform {

void test_alarm(Ktap& ktap) {
    handle(SIGALRM);
    ktap.check(alarm(100) == 0, "an alarm was set");
    const unsigned left = alarm(50);
    ktap.check(left == 99 || left == 100, "%u seconds left", left);
    itimerval setting{};
    WORKS(ktap, getitimer(ITIMER_REAL, &setting));
    ktap.check(setting.it_value.tv_sec >= 48 && setting.it_value.tv_sec <= 50 && setting.it_interval.tv_sec == 0,
               "%ld s left", setting.it_value.tv_sec);
    ktap.check(alarm(0) >= 49, "alarm(0)");
    ktap.check(alarm(0) == 0, "still set");
    ktap.check(caught == 0, "caught %d", caught);
    ktap.test("alarm: set, asked, taken back; it is ITIMER_REAL");
    setting = {{0, 0}, {0, 10'000}};
    WORKS(ktap, setitimer(ITIMER_REAL, &setting, nullptr));
    ktap.check(wait_caught(1) && last_info.si_code == SI_KERNEL, "code %d", last_info.si_code);
    WORKS(ktap, getitimer(ITIMER_REAL, &setting));
    ktap.check(setting.it_value.tv_sec == 0 && setting.it_value.tv_usec == 0, "runs on");
    ktap.test("ITIMER_REAL once: SIGALRM with SI_KERNEL");
    handle(SIGALRM);
    setting = {{0, 5'000}, {0, 5'000}};
    WORKS(ktap, setitimer(ITIMER_REAL, &setting, nullptr));
    ktap.check(wait_caught(3), "caught %d", caught);
    itimerval old{};
    setting = {};
    WORKS(ktap, setitimer(ITIMER_REAL, &setting, &old));
    ktap.check(old.it_interval.tv_usec == 5'000, "interval %ld", old.it_interval.tv_usec);
    const int seen = caught;
    pause_ms(20);
    ktap.check(caught == seen, "it runs on");
    ktap.test("ITIMER_REAL again and again, until it is taken off");
    for (const int which : {-1, 3, 100}) {
        FAILS(ktap, syscall(SYS_getitimer, which, &setting), EINVAL);
        FAILS(ktap, syscall(SYS_setitimer, which, &setting, nullptr), EINVAL);
    }
    setting = {{0, 0}, {0, 1'000'000}};
    FAILS(ktap, setitimer(ITIMER_REAL, &setting, nullptr), EINVAL);
    setting = {{0, 0}, {-1, 0}};
    FAILS(ktap, setitimer(ITIMER_REAL, &setting, nullptr), EINVAL);
    for (void* const bad : kBadPointers) {
        FAILS(ktap, syscall(SYS_getitimer, ITIMER_REAL, bad), EFAULT);
        FAILS(ktap, syscall(SYS_setitimer, ITIMER_REAL, bad, nullptr), EFAULT);
    }
    ktap.test("setitimer, getitimer: EINVAL, EFAULT");
    handle(SIGVTALRM);
    setting = {{0, 0}, {0, 20'000}};
    WORKS(ktap, setitimer(ITIMER_VIRTUAL, &setting, nullptr));
    pause_ms(60);
    ktap.check(caught == 0, "it runs while the process sleeps");
    ktap.check(burn_until([] { return caught != 0; }), "it never comes");
    ktap.test("ITIMER_VIRTUAL: the process's own time");
    handle(SIGPROF);
    setting = {{0, 0}, {0, 20'000}};
    WORKS(ktap, setitimer(ITIMER_PROF, &setting, nullptr));
    pause_ms(60);
    ktap.check(caught == 0, "it runs while the process sleeps");
    ktap.check(burn_until([] { return syscall(SYS_getppid) < 0 || caught != 0; }), "it never comes");
    ktap.test("ITIMER_PROF: the kernel's time for it too");
    const int status = in_child([] {
        alarm(100);
        return in_child([] { return alarm(0) == 0 ? 0 : 1; }) == 0 && alarm(0) > 90 ? 0 : 1;
    });
    ktap.test("interval timers are not inherited by fork", status == 0);
    const int killed = in_child([] {
        signal(SIGALRM, SIG_DFL);
        const itimerval soon{{0, 0}, {0, 10'000}};
        setitimer(ITIMER_REAL, &soon, nullptr);
        for (;;)
            pause();
        return 7;
    });
    ktap.check(WIFSIGNALED(killed) && WTERMSIG(killed) == SIGALRM, "status %#x", killed);
    ktap.test("SIGALRM ends a process by default");
}

namespace {

timer_t make_timer(Ktap& ktap, clockid_t clock, int signal, int value) {
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signal;
    event.sigev_value.sival_int = value;
    timer_t timer{};
    WORKS(ktap, timer_create(clock, &event, &timer));
    return timer;
}

} // namespace

void test_posix_timers(Ktap& ktap) {
    int id = 0;
    const auto create = [&](int clock, const void* event, void* to) {
        return syscall(SYS_timer_create, clock, event, to);
    };
    FAILS(ktap, create(999, nullptr, &id), EINVAL);
    struct sigevent event {};
    event.sigev_notify = 77;
    FAILS(ktap, create(CLOCK_MONOTONIC, &event, &id), EINVAL);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 65;
    FAILS(ktap, create(CLOCK_MONOTONIC, &event, &id), EINVAL);
    event.sigev_signo = 0;
    FAILS(ktap, create(CLOCK_MONOTONIC, &event, &id), EINVAL);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGUSR1;
    event._sigev_un._tid = 0x3fffffff;
    FAILS(ktap, create(CLOCK_MONOTONIC, &event, &id), EINVAL);
    for (void* const bad : kBadPointers) {
        FAILS(ktap, create(CLOCK_MONOTONIC, bad, &id), EFAULT);
        FAILS(ktap, create(CLOCK_MONOTONIC, nullptr, bad), EFAULT);
    }
    ktap.test("timer_create: EINVAL, EFAULT");
    itimerspec setting{};
    constexpr int kNone = 0x3ffffff;
    FAILS(ktap, syscall(SYS_timer_settime, kNone, 0, &setting, nullptr), EINVAL);
    FAILS(ktap, syscall(SYS_timer_gettime, kNone, &setting), EINVAL);
    FAILS(ktap, syscall(SYS_timer_getoverrun, kNone), EINVAL);
    FAILS(ktap, syscall(SYS_timer_delete, kNone), EINVAL);
    WORKS(ktap, create(CLOCK_MONOTONIC, nullptr, &id));
    setting.it_value = {0, 1'000'000'000};
    FAILS(ktap, syscall(SYS_timer_settime, id, 0, &setting, nullptr), EINVAL);
    setting.it_value = {-1, 0};
    FAILS(ktap, syscall(SYS_timer_settime, id, 0, &setting, nullptr), EINVAL);
    FAILS(ktap, syscall(SYS_timer_settime, id, 0, nullptr, nullptr), EINVAL);
    for (void* const bad : kBadPointers) {
        FAILS(ktap, syscall(SYS_timer_settime, id, 0, bad, nullptr), EFAULT);
        FAILS(ktap, syscall(SYS_timer_gettime, id, bad), EFAULT);
    }
    WORKS(ktap, syscall(SYS_timer_delete, id));
    FAILS(ktap, syscall(SYS_timer_delete, id), EINVAL);
    ktap.test("timer_settime, gettime, getoverrun, delete: EINVAL, EFAULT");

    for (const clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME}) {
        handle(SIGRTMIN);
        timer_t timer = make_timer(ktap, clock, SIGRTMIN, 4711);
        setting = {{0, 0}, {0, 5 * kMillisecond}};
        WORKS(ktap, timer_settime(timer, 0, &setting, nullptr));
        ktap.check(wait_caught(1), "clock %d never fires", clock);
        ktap.check(last_info.si_code == SI_TIMER && last_info.si_value.sival_int == 4711 && last_info.si_overrun == 0,
                   "code %d value %d", last_info.si_code, last_info.si_value.sival_int);
        WORKS(ktap, timer_gettime(timer, &setting));
        ktap.check(setting.it_value.tv_sec == 0 && setting.it_value.tv_nsec == 0, "runs on");
        setting = {{0, 0}, in_ms(clock, 5)};
        handle(SIGRTMIN);
        WORKS(ktap, timer_settime(timer, TIMER_ABSTIME, &setting, nullptr));
        ktap.check(wait_caught(1), "clock %d never fires at a time", clock);
        setting = {{0, 0}, {1, 0}};
        handle(SIGRTMIN);
        WORKS(ktap, timer_settime(timer, TIMER_ABSTIME, &setting, nullptr)); // long past
        ktap.check(wait_caught(1), "clock %d never fires for the past", clock);
        WORKS(ktap, timer_delete(timer));
    }
    ktap.test("timers of three clocks: relative, absolute, past; SI_TIMER with the value");
    handle(SIGRTMIN);
    timer_t timer = make_timer(ktap, CLOCK_MONOTONIC, SIGRTMIN, 0);
    setting = {{0, 2 * kMillisecond}, {0, 2 * kMillisecond}};
    WORKS(ktap, timer_settime(timer, 0, &setting, nullptr));
    ktap.check(wait_caught(3), "caught %d", caught);
    sigset_t set, saved;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, &saved);
    pause_ms(30);
    siginfo_t info{};
    ktap.check(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_overrun >= 3, "overrun %d", info.si_overrun);
    ktap.check(timer_getoverrun(timer) == info.si_overrun, "timer_getoverrun %d", timer_getoverrun(timer));
    itimerspec old{};
    setting = {};
    WORKS(ktap, timer_settime(timer, 0, &setting, &old));
    ktap.check(old.it_interval.tv_nsec == 2 * kMillisecond && old.it_value.tv_nsec > 0, "interval %ld",
               old.it_interval.tv_nsec);
    const timespec none{};
    while (sigtimedwait(&set, &info, &none) > 0) {
    }
    pause_ms(10);
    FAILS(ktap, sigtimedwait(&set, &info, &none), EAGAIN);
    sigprocmask(SIG_SETMASK, &saved, nullptr);
    WORKS(ktap, timer_delete(timer));
    ktap.test("a periodic timer; what is not taken in time is its overrun");
    event = {};
    event.sigev_notify = SIGEV_NONE;
    WORKS(ktap, timer_create(CLOCK_MONOTONIC, &event, &timer));
    setting = {{0, 0}, {100, 0}};
    WORKS(ktap, timer_settime(timer, 0, &setting, nullptr));
    WORKS(ktap, timer_gettime(timer, &setting));
    ktap.check(setting.it_value.tv_sec == 99 || setting.it_value.tv_sec == 100, "%ld s left",
               static_cast<long>(setting.it_value.tv_sec));
    WORKS(ktap, timer_delete(timer));
    ktap.test("SIGEV_NONE: only looked at");
    handle(SIGUSR1);
    static volatile pid_t other_id;
    static volatile bool stop;
    other_id = 0;
    stop = false;
    pthread_t other;
    pthread_create(
        &other, nullptr,
        [](void*) -> void* {
            other_id = static_cast<pid_t>(syscall(SYS_gettid));
            while (!stop)
                pause_ms(1);
            return nullptr;
        },
        nullptr);
    while (other_id == 0)
        pause_ms(1);
    event = {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGUSR1;
    event._sigev_un._tid = other_id;
    WORKS(ktap, timer_create(CLOCK_MONOTONIC, &event, &timer));
    setting = {{0, 0}, {0, 5 * kMillisecond}};
    WORKS(ktap, timer_settime(timer, 0, &setting, nullptr));
    ktap.check(wait_caught(1) && last_thread == other_id, "thread %d", last_thread);
    stop = true;
    pthread_join(other, nullptr);
    WORKS(ktap, timer_delete(timer));
    ktap.test("SIGEV_THREAD_ID: that thread gets it");
    handle(SIGRTMIN);
    timer = make_timer(ktap, CLOCK_PROCESS_CPUTIME_ID, SIGRTMIN, 1);
    setting = {{0, 0}, {0, 20 * kMillisecond}};
    WORKS(ktap, timer_settime(timer, 0, &setting, nullptr));
    pause_ms(60);
    ktap.check(caught == 0, "it runs while the process sleeps");
    ktap.check(burn_until([] { return caught != 0; }), "it never fires");
    WORKS(ktap, timer_delete(timer));
    timer = make_timer(ktap, CLOCK_THREAD_CPUTIME_ID, SIGRTMIN, 1);
    handle(SIGRTMIN);
    WORKS(ktap, timer_settime(timer, 0, &setting, nullptr));
    ktap.check(burn_until([] { return caught != 0; }), "the thread's never fires");
    WORKS(ktap, timer_delete(timer));
    ktap.test("timers of CPU clocks");
    for (const clockid_t clock : {CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID}) {
        timer = make_timer(ktap, clock, SIGRTMIN, 1);
        setting = {{INT64_MAX, 0}, {INT64_MAX, 0}};
        WORKS(ktap, timer_settime(timer, 0, &setting, nullptr));
        pause_ms(2);
        setting = {{INT64_MAX, 0}, {0, 1}};
        handle(SIGRTMIN);
        WORKS(ktap, timer_settime(timer, 0, &setting, nullptr));
        ktap.check(burn_until([] { return caught != 0; }), "it never fires");
        pause_ms(5);
        ktap.check(caught == 1, "its next turn came %d times too early", caught - 1);
        WORKS(ktap, timer_delete(timer));
    }
    ktap.test("timers for the end of time never fire");
    timer_t many[100];
    for (timer_t& each : many)
        each = make_timer(ktap, CLOCK_MONOTONIC, SIGRTMIN, 0);
    signal(SIGRTMIN, SIG_IGN);
    setting = {{0, 1}, {0, 1}};
    for (const timer_t each : many)
        WORKS(ktap, timer_settime(each, 0, &setting, nullptr));
    pause_ms(20);
    for (const timer_t each : many)
        WORKS(ktap, timer_delete(each));
    signal(SIGRTMIN, SIG_DFL);
    ktap.test("a hundred timers of one nanosecond, ignored, do no harm");
}

} // namespace tollgate::conform

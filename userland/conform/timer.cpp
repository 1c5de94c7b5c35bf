// Timers against POSIX and the manual pages: alarm, setitimer, timer_create, timerfd, signalfd. Runs on Linux as well.
// Nothing depends on how long anything takes beyond "not yet" and "some time". Everything happens in a child, since
// init is spared most signals.
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <initializer_list>
#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace {

using tollgate::Ktap;

void* const kBadPointers[] = {reinterpret_cast<void*>(8), reinterpret_cast<void*>(0x7ffffffff000),
                              reinterpret_cast<void*>(0x800000000000), reinterpret_cast<void*>(-4096l)};
constexpr long kMillisecond = 1'000'000;

volatile sig_atomic_t caught;
siginfo_t last_info;
volatile pid_t last_thread;

void remember(int, siginfo_t* info, void*) {
    last_info = *info;
    last_thread = static_cast<pid_t>(syscall(SYS_gettid));
    caught = caught + 1;
}
void handle(int signal) {
    struct sigaction action {};
    action.sa_sigaction = remember;
    action.sa_flags = SA_SIGINFO;
    sigaction(signal, &action, nullptr);
    caught = 0;
    last_info = {};
}
void pause_ms(long milliseconds) {
    timespec time{milliseconds / 1000, milliseconds % 1000 * kMillisecond};
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {
    }
}
/// Waits until the handler has run so often; false after some seconds.
bool wait_caught(int times) {
    for (int i = 0; i < 10'000 && caught < times; ++i)
        pause_ms(1);
    return caught >= times;
}
timespec now(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return time;
}
timespec in_ms(clockid_t clock, long milliseconds) {
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
template <class F>
int in_child(F&& body) {
    const pid_t child = fork();
    if (child == 0)
        _exit(body());
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

#define FAILS(ktap, call, error)                                                                                       \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        const long outcome = static_cast<long>(call);                                                                  \
        (ktap).check(outcome == -1 && errno == (error), "%s: %ld, %s", #call, outcome, std::strerror(errno));          \
    } while (0)
#define WORKS(ktap, call)                                                                                              \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        const long outcome = static_cast<long>(call);                                                                  \
        (ktap).check(outcome != -1, "%s: %s", #call, std::strerror(errno));                                            \
    } while (0)

// --- alarm and the interval timers

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

// --- timer_create

timer_t make_timer(Ktap& ktap, clockid_t clock, int signal, int value) {
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signal;
    event.sigev_value.sival_int = value;
    timer_t timer{};
    WORKS(ktap, timer_create(clock, &event, &timer));
    return timer;
}

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

// --- timerfd

void test_timerfd(Ktap& ktap) {
    FAILS(ktap, timerfd_create(999, 0), EINVAL);
    FAILS(ktap, timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    FAILS(ktap, timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    itimerspec setting{};
    FAILS(ktap, timerfd_settime(-1, 0, &setting, nullptr), EBADF);
    FAILS(ktap, timerfd_settime(0, 0, &setting, nullptr), EINVAL);
    FAILS(ktap, timerfd_gettime(-1, &setting), EBADF);
    FAILS(ktap, timerfd_gettime(0, &setting), EINVAL);
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    ktap.check(fd >= 0, "%s", std::strerror(errno));
    ktap.check((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0, "not close-on-exec");
    ktap.check((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, "not non-blocking");
    FAILS(ktap, timerfd_settime(fd, 0x80, &setting, nullptr), EINVAL);
    setting.it_value.tv_nsec = 1'000'000'000;
    FAILS(ktap, timerfd_settime(fd, 0, &setting, nullptr), EINVAL);
    for (void* const bad : kBadPointers) {
        FAILS(ktap, syscall(SYS_timerfd_settime, fd, 0, bad, nullptr), EFAULT);
        FAILS(ktap, syscall(SYS_timerfd_gettime, fd, bad), EFAULT);
    }
    ktap.test("timerfd: EBADF, EINVAL, EFAULT, flags");
    uint64_t times = 0;
    FAILS(ktap, read(fd, &times, sizeof times), EAGAIN);
    FAILS(ktap, read(fd, &times, 4), EINVAL);
    FAILS(ktap, write(fd, &times, sizeof times), EINVAL);
    setting = {{0, 0}, {0, 5 * kMillisecond}};
    WORKS(ktap, timerfd_settime(fd, 0, &setting, nullptr));
    pollfd waiting{fd, POLLIN, 0};
    ktap.check(poll(&waiting, 1, 10'000) == 1 && waiting.revents == POLLIN, "poll: %#x", waiting.revents);
    ktap.check(read(fd, &times, sizeof times) == 8 && times == 1, "%lu times", times);
    FAILS(ktap, read(fd, &times, sizeof times), EAGAIN);
    ktap.check(poll(&waiting, 1, 0) == 0, "still readable");
    ktap.test("timerfd once: poll, read, EAGAIN");
    setting = {{0, 2 * kMillisecond}, {0, 2 * kMillisecond}};
    WORKS(ktap, timerfd_settime(fd, 0, &setting, nullptr));
    pause_ms(20);
    ktap.check(read(fd, &times, sizeof times) == 8 && times >= 4, "%lu times", times);
    itimerspec old{};
    WORKS(ktap, timerfd_gettime(fd, &old));
    ktap.check(old.it_interval.tv_nsec == 2 * kMillisecond && old.it_value.tv_nsec > 0, "interval %ld",
               old.it_interval.tv_nsec);
    setting = {};
    WORKS(ktap, timerfd_settime(fd, 0, &setting, &old));
    ktap.check(old.it_interval.tv_nsec == 2 * kMillisecond, "interval %ld", old.it_interval.tv_nsec);
    pause_ms(10);
    FAILS(ktap, read(fd, &times, sizeof times), EAGAIN);
    ktap.test("timerfd again and again: counts; taken off");
    close(fd);
    const int blocking = timerfd_create(CLOCK_REALTIME, 0);
    setting = {{0, 0}, in_ms(CLOCK_REALTIME, 10)};
    WORKS(ktap, timerfd_settime(blocking, TFD_TIMER_ABSTIME, &setting, nullptr));
    ktap.check(read(blocking, &times, sizeof times) == 8 && times == 1, "%lu times", times);
    setting = {{0, 0}, {1, 0}};
    WORKS(ktap, timerfd_settime(blocking, TFD_TIMER_ABSTIME, &setting, nullptr));
    ktap.check(read(blocking, &times, sizeof times) == 8 && times == 1, "%lu times for the past", times);
    close(blocking);
    ktap.test("timerfd: read waits; absolute and past times");
}

// --- signalfd

void test_signalfd(Ktap& ktap) {
    sigset_t set, saved;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    FAILS(ktap, syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
    FAILS(ktap, syscall(SYS_signalfd4, -1, &set, 8, 1), EINVAL);
    FAILS(ktap, syscall(SYS_signalfd4, 0x7ffffff, &set, 8, 0), EBADF);
    FAILS(ktap, syscall(SYS_signalfd4, 0, &set, 8, 0), EINVAL);
    for (void* const bad : kBadPointers)
        FAILS(ktap, syscall(SYS_signalfd4, -1, bad, 8, 0), EFAULT);
    ktap.test("signalfd4: EINVAL, EBADF, EFAULT");
    sigprocmask(SIG_BLOCK, &set, &saved);
    const int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    ktap.check(fd >= 0, "%s", std::strerror(errno));
    signalfd_siginfo got[4]{};
    FAILS(ktap, read(fd, got, sizeof got), EAGAIN);
    FAILS(ktap, read(fd, got, 10), EINVAL);
    pollfd waiting{fd, POLLIN, 0};
    ktap.check(poll(&waiting, 1, 0) == 0, "readable without a signal");
    sigqueue(getpid(), SIGRTMIN, sigval{.sival_int = 5});
    sigqueue(getpid(), SIGRTMIN, sigval{.sival_int = 6});
    kill(getpid(), SIGUSR1);
    ktap.check(poll(&waiting, 1, 0) == 1 && waiting.revents == POLLIN, "poll: %#x", waiting.revents);
    ktap.check(read(fd, got, sizeof got) == 3 * static_cast<ssize_t>(sizeof got[0]), "not three");
    ktap.check(got[0].ssi_signo == SIGUSR1 && got[0].ssi_pid == static_cast<unsigned>(getpid()) &&
                   got[0].ssi_code == SI_USER,
               "signal %u", got[0].ssi_signo);
    ktap.check(got[1].ssi_signo == static_cast<unsigned>(SIGRTMIN) && got[1].ssi_int == 5 && got[2].ssi_int == 6,
               "values %d %d", got[1].ssi_int, got[2].ssi_int);
    FAILS(ktap, read(fd, got, sizeof got), EAGAIN);
    ktap.test("signalfd: read takes pending signals, poll sees them");
    close(fd);
    const int blocking = signalfd(-1, &set, 0);
    const pid_t child = fork();
    if (child == 0) {
        pause_ms(20);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    ktap.check(read(blocking, got, sizeof got[0]) == sizeof got[0] && got[0].ssi_pid == static_cast<unsigned>(child),
               "pid %u", got[0].ssi_pid);
    waitpid(child, nullptr, 0);
    sigdelset(&set, SIGUSR1);
    ktap.check(signalfd(blocking, &set, 0) == blocking, "%s", std::strerror(errno));
    fcntl(blocking, F_SETFL, O_NONBLOCK);
    kill(getpid(), SIGUSR1);
    FAILS(ktap, read(blocking, got, sizeof got[0]), EAGAIN);
    close(blocking);
    const timespec none{};
    sigaddset(&set, SIGUSR1);
    sigtimedwait(&set, nullptr, &none);
    sigprocmask(SIG_SETMASK, &saved, nullptr);
    ktap.test("signalfd: read waits; its set can be changed");
}

int run() {
    Ktap ktap(24);
    test_alarm(ktap);
    test_posix_timers(ktap);
    test_timerfd(ktap);
    test_signalfd(ktap);
    return ktap.finish();
}

} // namespace

int main() {
    const int status = in_child(run);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

// Timers and signals as files: timerfd and signalfd.
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/conform/timer_tests.h"

namespace tollgate::conform {

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

} // namespace tollgate::conform

// Calls that a signal interrupts: which begin again, which go on, which fail.
#include <cerrno>
#include <csignal>
#include <ctime>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/conform/signal_tests.h"

namespace tollgate::conform {

namespace {

int pipe_ends[2];

/// A read that a signal meets while it sleeps; a child sends the signal, then a byte.
ssize_t read_over_signal(int signal) {
    const pid_t parent = getpid();
    const pid_t child = start_child([&] {
        pause_ms(20);
        kill(parent, signal);
        pause_ms(20);
        return write(pipe_ends[1], "x", 1) == 1 ? 0 : 1;
    });
    char byte;
    errno = 0;
    const ssize_t result = read(pipe_ends[0], &byte, 1);
    const int error = errno;
    waitpid(child, nullptr, 0);
    if (result < 0 && read(pipe_ends[0], &byte, 1) != 1)
        return -2;
    errno = error;
    return result;
}

} // namespace

void test_restart(Ktap& ktap) {
    if (pipe(pipe_ends) != 0) {
        for (const char* name : {"read: EINTR after a handler", "read: restarted with SA_RESTART",
                                 "read: goes on after an ignored signal", "read: goes on after a stop"})
            ktap.skip(name, "no pipes");
        return;
    }
    handle(SIGUSR1);
    ktap.check(read_over_signal(SIGUSR1) == -1 && errno == EINTR, "errno %d", errno);
    ktap.check(caught == 1, "caught %d", caught);
    ktap.test("read: EINTR after a handler");
    handle(SIGUSR1, remember, SA_RESTART);
    ktap.check(read_over_signal(SIGUSR1) == 1, "errno %d", errno);
    ktap.check(caught == 1, "caught %d", caught);
    ktap.test("read: restarted with SA_RESTART");
    signal(SIGUSR1, SIG_IGN);
    ktap.check(read_over_signal(SIGUSR1) == 1, "errno %d", errno);
    ktap.test("read: goes on after an ignored signal");
    const int status = in_child([] {
        const pid_t child = start_child([] {
            char byte;
            return read(pipe_ends[0], &byte, 1) == 1 ? 0 : 1;
        });
        pause_ms(20);
        int end = 0;
        kill(child, SIGSTOP);
        if (waitpid(child, &end, WUNTRACED) != child || !WIFSTOPPED(end))
            return 2;
        kill(child, SIGCONT);
        pause_ms(20);
        if (write(pipe_ends[1], "x", 1) != 1 || waitpid(child, &end, 0) != child)
            return 3;
        return WEXITSTATUS(end);
    });
    ktap.check(status == 0, "status %#x", status);
    ktap.test("read: goes on after a stop");
    close(pipe_ends[0]), close(pipe_ends[1]);
}

namespace {

long milliseconds_now() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/// A wait of 600 ms is stopped after 100 ms and continued after 400 ms: it ends when it would have ended anyway.
template <class Wait>
void check_span(Ktap& ktap, const char* call, Wait wait) {
    const long begin = milliseconds_now();
    const pid_t child = start_child([&] { return wait() ? 0 : 1; });
    pause_ms(100);
    int status = 0;
    kill(child, SIGSTOP);
    ktap.check(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "%s: status %#x", call, status);
    pause_ms(300);
    kill(child, SIGCONT);
    ktap.check(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status %#x",
               call, status);
    const long took = milliseconds_now() - begin;
    ktap.check(took >= 600 && took < 900, "%s: %ld ms", call, took); // the whole span again would make 1000
}

} // namespace

void test_rest_of_span(Ktap& ktap) {
    constexpr long kSpan = 600'000'000;
    check_span(ktap, "nanosleep", [] {
        const timespec span{0, kSpan};
        return nanosleep(&span, nullptr) == 0;
    });
    check_span(ktap, "clock_nanosleep", [] {
        const timespec span{0, kSpan};
        return clock_nanosleep(CLOCK_MONOTONIC, 0, &span, nullptr) == 0;
    });
    check_span(ktap, "poll", [] { return poll(nullptr, 0, kSpan / 1'000'000) == 0; });
    check_span(ktap, "futex", [] {
        const timespec span{0, kSpan};
        static int word = 0;
        return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &span, nullptr, 0) == -1 && errno == ETIMEDOUT;
    });
    ktap.test("a call with a span goes on with what is left of it after a stop");
    FAILS(ktap, syscall(SYS_restart_syscall), EINTR);
    ktap.test("restart_syscall: EINTR when there is nothing to restart");
}

void test_never_restarted(Ktap& ktap) {
    handle(SIGUSR1, remember, SA_RESTART);
    const pid_t child = start_child([] { return pause_ms(20), kill(getppid(), SIGUSR1), 0; });
    timespec time{10, 0}, left{};
    FAILS(ktap, nanosleep(&time, &left), EINTR);
    ktap.check(left.tv_sec >= 5 && left.tv_sec < 10, "%ld s left", static_cast<long>(left.tv_sec));
    waitpid(child, nullptr, 0);
    ktap.test("nanosleep: EINTR in spite of SA_RESTART, and what is left");
    handle(SIGCHLD, remember, SA_RESTART);
    const pid_t quick = start_child([] { return 3; });
    int status = 0;
    ktap.check(waitpid(quick, &status, 0) == quick && WEXITSTATUS(status) == 3, "status %#x", status);
    signal(SIGCHLD, SIG_DFL);
    ktap.test("waitpid with a handler of SIGCHLD and SA_RESTART");
}

} // namespace tollgate::conform

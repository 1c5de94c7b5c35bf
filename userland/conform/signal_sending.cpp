// Sending signals and waiting for them: kill and its kin, who may, sigsuspend, sigtimedwait, pause.
#include <cerrno>
#include <csignal>
#include <ctime>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/conform/signal_tests.h"

namespace tollgate::conform {

void test_sending(Ktap& ktap) {
    FAILS(ktap, kill(getpid(), -1), EINVAL);
    FAILS(ktap, kill(getpid(), 65), EINVAL);
    FAILS(ktap, kill(0x3fffffff, 0), ESRCH);
    FAILS(ktap, kill(0x3fffffff, SIGTERM), ESRCH);
    FAILS(ktap, kill(-0x3fffffff, SIGTERM), ESRCH);
    WORKS(ktap, kill(getpid(), 0));
    ktap.test("kill: EINVAL, ESRCH, signal 0");
    const int self = thread_id();
    FAILS(ktap, syscall(SYS_tgkill, -1, self, SIGUSR1), EINVAL);
    FAILS(ktap, syscall(SYS_tgkill, 0, self, SIGUSR1), EINVAL);
    FAILS(ktap, syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
    FAILS(ktap, syscall(SYS_tgkill, getpid(), self, 65), EINVAL);
    FAILS(ktap, syscall(SYS_tgkill, getpid() + 1'000'000, self, 0), ESRCH);
    FAILS(ktap, syscall(SYS_tgkill, getpid(), 0x3fffffff, 0), ESRCH);
    FAILS(ktap, syscall(SYS_tkill, 0, 0), EINVAL);
    FAILS(ktap, syscall(SYS_tkill, 0x3fffffff, 0), ESRCH);
    WORKS(ktap, syscall(SYS_tgkill, getpid(), self, 0));
    WORKS(ktap, syscall(SYS_tkill, self, 0));
    ktap.test("tgkill and tkill: EINVAL, ESRCH, signal 0");
    siginfo_t info{};
    info.si_code = SI_QUEUE;
    FAILS(ktap, syscall(SYS_rt_sigqueueinfo, getpid(), 65, &info), EINVAL);
    FAILS(ktap, syscall(SYS_rt_sigqueueinfo, 0x3fffffff, 0, &info), ESRCH);
    for (void* const bad : kBadPointers)
        FAILS(ktap, syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, bad), EFAULT);
    info.si_code = SI_USER;
    FAILS(ktap, syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info), EPERM);
    info.si_code = SI_TKILL;
    FAILS(ktap, syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info), EPERM);
    ktap.test("rt_sigqueueinfo: errors; nobody may pretend to be kill");
    handle(SIGUSR1);
    info = {};
    info.si_code = -77;
    info.si_value.sival_ptr = &info;
    WORKS(ktap, syscall(SYS_rt_tgsigqueueinfo, getpid(), self, SIGUSR1, &info));
    ktap.check(caught == 1 && last_info.si_code == -77 && last_info.si_value.sival_ptr == &info, "code %d",
               last_info.si_code);
    FAILS(ktap, syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGUSR1, &info), EINVAL);
    FAILS(ktap, syscall(SYS_rt_tgsigqueueinfo, 0x3fffffff, self, SIGUSR1, &info), ESRCH);
    ktap.test("rt_tgsigqueueinfo");

    // A group of three: kill reaches every member.
    const int status = in_child([] {
        setpgid(0, 0);
        signal(SIGUSR1, SIG_IGN);
        const pid_t a = start_child([] { return signal(SIGUSR1, SIG_DFL), pause(), 7; });
        const pid_t b = start_child([] { return signal(SIGUSR1, SIG_DFL), pause(), 7; });
        pause_ms(50);
        if (kill(0, SIGUSR1) != 0)
            return 1;
        int ended = 0, status_a = 0, status_b = 0;
        ended += waitpid(a, &status_a, 0) == a && WIFSIGNALED(status_a) && WTERMSIG(status_a) == SIGUSR1;
        ended += waitpid(b, &status_b, 0) == b && WIFSIGNALED(status_b) && WTERMSIG(status_b) == SIGUSR1;
        return ended == 2 ? 0 : 2;
    });
    ktap.test("kill(0): every process of the group", status == 0);
    const int other = in_child([] {
        const pid_t child = start_child([] { return setpgid(0, 0), pause(), 7; });
        setpgid(child, child);
        pause_ms(20);
        int end = 0;
        const bool sent = kill(-child, SIGTERM) == 0;
        return sent && waitpid(child, &end, 0) == child && WIFSIGNALED(end) && WTERMSIG(end) == SIGTERM ? 0 : 1;
    });
    ktap.test("kill(-group)", other == 0);
    const int zombie = in_child([] {
        const pid_t child = start_child([] { return 0; });
        siginfo_t ended;
        waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
        return kill(child, SIGTERM) == 0 && kill(child, 0) == 0 ? 0 : 1;
    });
    ktap.test("a zombie can be sent signals, to no effect", zombie == 0);
}

void test_permissions(Ktap& ktap) {
    if (getuid() != 0)
        return ktap.skip("kill: EPERM", "not root");
    const int status = in_child([] {
        const pid_t root = start_child([] { return pause(), 7; });
        const int outcome = in_child([&] {
            if (setresuid(1000, 1000, 1000) != 0)
                return 1;
            if (kill(root, 0) != -1 || errno != EPERM || kill(root, SIGTERM) != -1 || errno != EPERM)
                return 2;
            const pid_t own = start_child([] { return pause(), 7; });
            return kill(own, SIGKILL) == 0 ? 0 : 3;
        });
        kill(root, SIGKILL);
        return WEXITSTATUS(outcome);
    });
    ktap.check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
    ktap.test("kill: EPERM for another user's process");
}

// --- waiting

void test_waiting(Ktap& ktap) {
    const sigset_t usr1 = set_of({SIGUSR1});
    siginfo_t info;
    const timespec short_time{0, 5'000'000}, bad{0, 1'000'000'000}, negative{-1, 0};
    const auto wait = [](const void* set, void* to, const void* time, size_t size = 8) {
        return syscall(SYS_rt_sigtimedwait, set, to, time, size);
    };
    handle(SIGUSR1);
    FAILS(ktap, wait(&usr1, &info, &short_time), EAGAIN);
    FAILS(ktap, wait(&usr1, &info, &bad), EINVAL);
    FAILS(ktap, wait(&usr1, &info, &negative), EINVAL);
    FAILS(ktap, wait(&usr1, &info, &short_time, 4), EINVAL);
    for (void* const pointer : kBadPointers) {
        FAILS(ktap, wait(pointer, &info, &short_time), EFAULT);
        FAILS(ktap, wait(&usr1, &info, pointer), EFAULT);
    }
    ktap.test("rt_sigtimedwait: EAGAIN, EINVAL, EFAULT");
    block({SIGUSR1});
    kill(getpid(), SIGUSR1);
    ktap.check(wait(&usr1, &info, nullptr) == SIGUSR1 && info.si_code == SI_USER && info.si_pid == getpid(), "code %d",
               info.si_code);
    ktap.check(caught == 0 && !is_pending(SIGUSR1), "it was delivered as well");
    const pid_t child = start_child([] { return pause_ms(20), kill(getppid(), SIGUSR1), 0; });
    ktap.check(sigwaitinfo(&usr1, &info) == SIGUSR1 && info.si_pid == child, "pid %d", info.si_pid);
    waitpid(child, nullptr, 0);
    ktap.test("sigwaitinfo takes a blocked signal, now or later");
    handle(SIGUSR2);
    const pid_t other = start_child([] { return pause_ms(20), kill(getppid(), SIGUSR2), 0; });
    FAILS(ktap, sigwaitinfo(&usr1, &info), EINTR);
    ktap.check(caught == 1 && last_signal == SIGUSR2, "caught %d", caught);
    waitpid(other, nullptr, 0);
    unblock({SIGUSR1});
    ktap.test("sigwaitinfo: EINTR when another signal has a handler");

    handle(SIGUSR1);
    const pid_t waker = start_child([] { return pause_ms(20), kill(getppid(), SIGUSR1), 0; });
    FAILS(ktap, pause(), EINTR);
    ktap.check(caught == 1, "caught %d", caught);
    waitpid(waker, nullptr, 0);
    ktap.test("pause returns EINTR after a handler");

    handle(SIGUSR1);
    block({SIGUSR1});
    raise(SIGUSR1);
    const sigset_t empty = set_of({});
    FAILS(ktap, sigsuspend(&empty), EINTR);
    sigset_t now;
    sigprocmask(SIG_BLOCK, nullptr, &now);
    ktap.check(caught == 1, "caught %d", caught);
    ktap.check(sigismember(&now, SIGUSR1) == 1, "the mask is not restored");
    FAILS(ktap, syscall(SYS_rt_sigsuspend, &empty, 4), EINVAL);
    for (void* const pointer : kBadPointers)
        FAILS(ktap, syscall(SYS_rt_sigsuspend, pointer, 8), EFAULT);
    unblock({SIGUSR1});
    ktap.test("sigsuspend: its mask while it waits, the old one after the handler; EINVAL, EFAULT");
}

} // namespace tollgate::conform

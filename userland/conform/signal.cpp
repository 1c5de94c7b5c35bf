// Signals against POSIX and the manual pages: actions, masks, sending, waiting, siginfo of faults, restarted calls,
// job control. Runs on Linux as well. Everything happens in a child, since init is spared most signals.
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <initializer_list>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace {

using tollgate::Ktap;
using Handler = void (*)(int, siginfo_t*, void*);

void* const kBadPointers[] = {reinterpret_cast<void*>(8), reinterpret_cast<void*>(0x7ffffffff000),
                              reinterpret_cast<void*>(0x800000000000), reinterpret_cast<void*>(-4096l)};

volatile sig_atomic_t caught, last_signal;
siginfo_t last_info;
int order[16];

void remember(int signal, siginfo_t* info, void*) {
    order[caught % 16] = signal;
    caught = caught + 1;
    last_signal = signal;
    last_info = *info;
}

void handle(int signal, Handler handler = remember, int flags = 0, std::initializer_list<int> mask = {}) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigemptyset(&action.sa_mask);
    for (const int other : mask)
        sigaddset(&action.sa_mask, other);
    sigaction(signal, &action, nullptr);
    caught = 0;
    last_signal = 0;
    last_info = {};
}

sigset_t set_of(std::initializer_list<int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals)
        sigaddset(&set, signal);
    return set;
}
void block(std::initializer_list<int> signals) {
    const sigset_t set = set_of(signals);
    sigprocmask(SIG_BLOCK, &set, nullptr);
}
void unblock(std::initializer_list<int> signals) {
    const sigset_t set = set_of(signals);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
}
bool is_pending(int signal) {
    sigset_t set;
    return sigpending(&set) == 0 && sigismember(&set, signal) == 1;
}
int thread_id() { return static_cast<int>(syscall(SYS_gettid)); }
void pause_ms(long milliseconds) {
    timespec time{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {
    }
}

/// Runs in a child; its wait status.
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
template <class F>
pid_t start_child(F&& body) {
    const pid_t child = fork();
    if (child == 0)
        _exit(body());
    return child;
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

struct KernelAction {
    void* handler;
    unsigned long flags;
    void* restorer;
    unsigned long mask;
};
long raw_action(int signal, const void* action, void* old, size_t size = 8) {
    return syscall(SYS_rt_sigaction, signal, action, old, size);
}

// --- actions

void test_actions(Ktap& ktap) {
    KernelAction action{}, old{};
    for (const int signal : {0, -1, 65, 1000})
        FAILS(ktap, raw_action(signal, nullptr, &old), EINVAL);
    ktap.test("rt_sigaction: EINVAL for a signal that is none");
    for (const int signal : {SIGKILL, SIGSTOP}) {
        FAILS(ktap, raw_action(signal, &action, nullptr), EINVAL);
        WORKS(ktap, raw_action(signal, nullptr, &old));
    }
    ktap.test("rt_sigaction: SIGKILL and SIGSTOP can be asked for, not set");
    for (const size_t size : {size_t{0}, size_t{4}, size_t{16}, size_t{128}})
        FAILS(ktap, raw_action(SIGUSR1, nullptr, &old, size), EINVAL);
    ktap.test("rt_sigaction: EINVAL for another size of the set");
    for (void* const bad : kBadPointers) {
        FAILS(ktap, raw_action(SIGUSR1, bad, nullptr), EFAULT);
        FAILS(ktap, raw_action(SIGUSR1, nullptr, bad), EFAULT);
    }
    ktap.test("rt_sigaction: EFAULT");
    action = {reinterpret_cast<void*>(SIG_IGN), ~0ul, nullptr, ~0ul};
    WORKS(ktap, raw_action(SIGUSR2, &action, nullptr));
    WORKS(ktap, raw_action(SIGUSR2, nullptr, &old));
    ktap.check(old.handler == reinterpret_cast<void*>(SIG_IGN), "handler %p", old.handler);
    ktap.check((old.mask & (1ul << (SIGKILL - 1) | 1ul << (SIGSTOP - 1))) == 0, "mask %#lx", old.mask);
    ktap.check((old.flags & (1ul << 40 | 0x400)) == 0, "flags %#lx: unknown ones are kept", old.flags);
    ktap.check((old.flags & (SA_SIGINFO | SA_RESTART)) == (SA_SIGINFO | SA_RESTART), "flags %#lx", old.flags);
    ktap.test("rt_sigaction: what is set can be read back, without what means nothing");
    signal(SIGUSR2, SIG_DFL);

    handle(SIGUSR1);
    WORKS(ktap, raise(SIGUSR1));
    ktap.check(caught == 1 && last_signal == SIGUSR1, "caught %d", caught);
    ktap.check(last_info.si_signo == SIGUSR1 && last_info.si_code == SI_TKILL, "code %d", last_info.si_code);
    ktap.check(last_info.si_pid == getpid() && last_info.si_uid == getuid(), "pid %d", last_info.si_pid);
    ktap.test("a handler is called with the sender's siginfo: tgkill");
    WORKS(ktap, kill(getpid(), SIGUSR1));
    ktap.check(caught == 2 && last_info.si_code == SI_USER && last_info.si_pid == getpid(), "code %d",
               last_info.si_code);
    ktap.test("kill of the own process is delivered before it returns; SI_USER");

    handle(SIGUSR1, remember, static_cast<int>(SA_RESETHAND));
    raise(SIGUSR1);
    raw_action(SIGUSR1, nullptr, &old);
    ktap.check(caught == 1 && old.handler == reinterpret_cast<void*>(SIG_DFL), "handler %p", old.handler);
    ktap.test("SA_RESETHAND");

    static int depth, deepest, runs;
    depth = deepest = runs = 0;
    const Handler nest = [](int signal, siginfo_t*, void*) {
        depth = depth + 1;
        deepest = depth > deepest ? depth : deepest;
        if (depth < 3 && runs++ < 5)
            raise(signal);
        depth = depth - 1;
    };
    handle(SIGUSR1, nest);
    raise(SIGUSR1);
    ktap.check(deepest == 1, "depth %d", deepest);
    ktap.test("a signal is blocked while its handler runs");
    depth = deepest = runs = 0;
    handle(SIGUSR1, nest, SA_NODEFER);
    raise(SIGUSR1);
    ktap.check(deepest == 3, "depth %d", deepest);
    ktap.test("SA_NODEFER");
    static bool blocked;
    handle(SIGUSR1,
           [](int, siginfo_t*, void*) {
               sigset_t now;
               sigprocmask(SIG_BLOCK, nullptr, &now);
               blocked = sigismember(&now, SIGUSR2) == 1 && sigismember(&now, SIGUSR1) == 1;
           },
           0, {SIGUSR2});
    raise(SIGUSR1);
    sigset_t now;
    sigprocmask(SIG_BLOCK, nullptr, &now);
    ktap.check(blocked, "sa_mask is not blocked in the handler");
    ktap.check(!sigismember(&now, SIGUSR2) && !sigismember(&now, SIGUSR1), "it stays blocked");
    ktap.test("sa_mask holds while the handler runs, no longer");

    block({SIGUSR1});
    handle(SIGUSR1);
    raise(SIGUSR1);
    ktap.check(is_pending(SIGUSR1), "not pending");
    signal(SIGUSR1, SIG_IGN);
    ktap.check(!is_pending(SIGUSR1), "still pending");
    handle(SIGUSR1);
    unblock({SIGUSR1});
    ktap.check(caught == 0, "caught %d", caught);
    ktap.test("setting an action that ignores drops what is pending");
    signal(SIGCHLD, SIG_DFL);
    raise(SIGCHLD), raise(SIGURG), raise(SIGWINCH), raise(SIGCONT);
    ktap.test("SIGCHLD, SIGURG, SIGWINCH, SIGCONT are ignored by default", true);
    signal(SIGUSR1, SIG_IGN);
    WORKS(ktap, kill(getpid(), SIGUSR1));
    signal(SIGUSR1, SIG_DFL);
    ktap.test("an ignored signal does nothing");
}

// --- default actions, as the parent sees them

void test_defaults(Ktap& ktap) {
    for (int signal = 1; signal < 32; ++signal) {
        if (signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH || signal == SIGSTOP ||
            signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)
            continue;
        const int status = in_child([&] {
            ::signal(signal, SIG_DFL);
            kill(getpid(), signal);
            return 7;
        });
        ktap.check(WIFSIGNALED(status) && WTERMSIG(status) == signal, "signal %d: status %#x", signal, status);
    }
    ktap.test("default actions that end a process; its wait status says by what");
    for (const int signal : {SIGRTMIN, SIGRTMAX}) {
        const int status = in_child([&] { return kill(getpid(), signal), 7; });
        ktap.check(WIFSIGNALED(status) && WTERMSIG(status) == signal, "signal %d: status %#x", signal, status);
    }
    ktap.test("real-time signals end a process by default");
    const int status = in_child([] {
        block({SIGTERM});
        kill(getpid(), SIGTERM);
        kill(getpid(), SIGKILL);
        return 7;
    });
    ktap.check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %#x", status);
    ktap.test("SIGKILL ends it whatever is blocked");
}

// --- masks and pending signals

void test_masks(Ktap& ktap) {
    unsigned long set = 0, old = 0;
    const auto mask = [](int how, const void* from, void* to, size_t size = 8) {
        return syscall(SYS_rt_sigprocmask, how, from, to, size);
    };
    for (const int how : {-1, 3, 100})
        FAILS(ktap, mask(how, &set, &old), EINVAL);
    WORKS(ktap, mask(100, nullptr, &old)); // without a set `how` is not looked at
    for (const size_t size : {size_t{0}, size_t{4}, size_t{16}})
        FAILS(ktap, mask(SIG_BLOCK, &set, &old, size), EINVAL);
    ktap.test("rt_sigprocmask: EINVAL");
    for (void* const bad : kBadPointers) {
        FAILS(ktap, mask(SIG_BLOCK, bad, nullptr), EFAULT);
        FAILS(ktap, mask(SIG_BLOCK, nullptr, bad), EFAULT);
    }
    ktap.test("rt_sigprocmask: EFAULT");
    set = ~0ul;
    mask(SIG_BLOCK, nullptr, &old);
    const unsigned long before = old;
    WORKS(ktap, mask(SIG_SETMASK, &set, nullptr));
    mask(SIG_BLOCK, nullptr, &old);
    ktap.check(old == (~0ul & ~(1ul << (SIGKILL - 1)) & ~(1ul << (SIGSTOP - 1))), "mask %#lx", old);
    WORKS(ktap, mask(SIG_SETMASK, &before, nullptr));
    ktap.test("SIGKILL and SIGSTOP cannot be blocked, without an error");

    handle(SIGUSR1), handle(SIGUSR2);
    block({SIGUSR1, SIGUSR2});
    raise(SIGUSR1), raise(SIGUSR1), kill(getpid(), SIGUSR2), kill(getpid(), SIGUSR2);
    ktap.check(caught == 0, "caught %d while blocked", caught);
    ktap.check(is_pending(SIGUSR1) && is_pending(SIGUSR2), "not pending");
    unblock({SIGUSR1, SIGUSR2});
    ktap.check(caught == 2, "caught %d, not 2", caught);
    ktap.test("blocked standard signals are pending once, and come when unblocked");

    char bytes[16];
    std::memset(bytes, 0x55, sizeof bytes);
    WORKS(ktap, syscall(SYS_rt_sigpending, bytes, 8));
    ktap.check(bytes[8] == 0x55 && bytes[0] == 0, "more or less than 8 bytes");
    FAILS(ktap, syscall(SYS_rt_sigpending, bytes, 9), EINVAL);
    for (void* const bad : kBadPointers)
        FAILS(ktap, syscall(SYS_rt_sigpending, bad, 8), EFAULT);
    ktap.test("rt_sigpending: size, EINVAL, EFAULT");

    // Real-time signals queue, in order, with their values; the lowest number comes first.
    handle(SIGRTMIN + 1), handle(SIGRTMIN + 2);
    block({SIGRTMIN + 1, SIGRTMIN + 2});
    for (int i = 0; i < 3; ++i)
        sigqueue(getpid(), SIGRTMIN + 2, sigval{.sival_int = 20 + i});
    for (int i = 0; i < 3; ++i)
        sigqueue(getpid(), SIGRTMIN + 1, sigval{.sival_int = 10 + i});
    siginfo_t info;
    const sigset_t both = set_of({SIGRTMIN + 1, SIGRTMIN + 2});
    const timespec none{};
    for (const int value : {10, 11, 12, 20, 21, 22}) {
        const int got = sigtimedwait(&both, &info, &none);
        ktap.check(got == (value < 20 ? SIGRTMIN + 1 : SIGRTMIN + 2) && info.si_value.sival_int == value,
                   "got %d value %d, not %d", got, info.si_value.sival_int, value);
        ktap.check(info.si_code == SI_QUEUE && info.si_pid == getpid(), "code %d", info.si_code);
    }
    FAILS(ktap, sigtimedwait(&both, &info, &none), EAGAIN);
    unblock({SIGRTMIN + 1, SIGRTMIN + 2});
    ktap.test("real-time signals queue: by number, then in the order they were sent");

    const int status = in_child([] {
        block({SIGUSR1});
        raise(SIGUSR1);
        return is_pending(SIGUSR1) && in_child([] { return is_pending(SIGUSR1) ? 1 : 0; }) == 0 ? 0 : 1;
    });
    ktap.test("pending signals are not inherited by fork, the mask is", status == 0);
}

// --- sending

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

// --- interrupted and restarted calls

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

// --- faults

/// By assembly: the compiler knows better than to write there.
void touch_null_page() { asm volatile("movb $1, 0x10" ::: "memory"); }

sigjmp_buf escape;
greg_t fault_registers[NGREG];

void on_fault(int, siginfo_t* info, void* context) {
    last_info = *info;
    std::memcpy(fault_registers, static_cast<ucontext_t*>(context)->uc_mcontext.gregs, sizeof fault_registers);
    siglongjmp(escape, 1);
}
template <class F>
bool faults(int signal, F&& body) {
    handle(signal, on_fault);
    if (sigsetjmp(escape, 1) != 0) {
        ::signal(signal, SIG_DFL);
        return true;
    }
    body();
    ::signal(signal, SIG_DFL);
    return false;
}

void test_faults(Ktap& ktap) {
    auto* const nowhere = reinterpret_cast<volatile char*>(0x123450);
    ktap.check(faults(SIGSEGV, [&] { *nowhere = 1; }), "no fault");
    ktap.check(last_info.si_code == SEGV_MAPERR && last_info.si_addr == nowhere, "code %d at %p", last_info.si_code,
               last_info.si_addr);
    ktap.check(fault_registers[REG_TRAPNO] == 14 && (fault_registers[REG_ERR] & 7) == 6 &&
                   fault_registers[REG_CR2] == 0x123450,
               "trap %lld error %lld", fault_registers[REG_TRAPNO], fault_registers[REG_ERR]);
    ktap.check(faults(SIGSEGV, [&] { (void)*nowhere; }), "no fault");
    ktap.check((fault_registers[REG_ERR] & 7) == 4, "error %lld of a read", fault_registers[REG_ERR]);
    ktap.test("SIGSEGV: SEGV_MAPERR, si_addr, trapno, err, cr2");
    auto* const page = static_cast<volatile char*>(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ktap.check(faults(SIGSEGV, [&] { page[5] = 1; }), "no fault");
    ktap.check(last_info.si_code == SEGV_ACCERR && last_info.si_addr == page + 5, "code %d at %p", last_info.si_code,
               last_info.si_addr);
    ktap.check(faults(SIGSEGV, [&] { reinterpret_cast<void (*)()>(reinterpret_cast<uintptr_t>(page))(); }), "no fault");
    ktap.check(last_info.si_code == SEGV_ACCERR && last_info.si_addr == page, "code %d of an execution",
               last_info.si_code);
    ktap.test("SIGSEGV: SEGV_ACCERR for a write to a read-only page, and for execution");
    ktap.check(faults(SIGSEGV, [] { *reinterpret_cast<volatile char*>(0x8000000000000000) = 1; }), "no fault");
    ktap.check(last_info.si_code == SI_KERNEL && last_info.si_addr == nullptr, "code %d at %p", last_info.si_code,
               last_info.si_addr);
    ktap.check(faults(SIGSEGV, [] { asm volatile("cli"); }), "no fault");
    ktap.check(last_info.si_code == SI_KERNEL && fault_registers[REG_TRAPNO] == 13, "code %d", last_info.si_code);
    ktap.test("SIGSEGV: SI_KERNEL for a non-canonical address and a privileged instruction");
    ktap.check(faults(SIGSEGV, [] { *reinterpret_cast<volatile char*>(0xffffffff80000000) = 1; }), "no fault");
    ktap.check(last_info.si_code == SEGV_MAPERR && last_info.si_addr == reinterpret_cast<void*>(0xffffffff80000000),
               "code %d at %p", last_info.si_code, last_info.si_addr);
    ktap.check((fault_registers[REG_ERR] & 7) == 7, "error %lld", fault_registers[REG_ERR]);
    ktap.test("SIGSEGV: a kernel address tells nothing about the kernel");
    ktap.check(faults(SIGFPE,
                      [] {
                          int zero = 0, result = 1;
                          asm volatile("cltd\n\tidivl %1" : "+a"(result) : "r"(zero) : "edx");
                      }),
               "no fault");
    ktap.check(last_info.si_code == FPE_INTDIV && fault_registers[REG_TRAPNO] == 0, "code %d", last_info.si_code);
    ktap.check(last_info.si_addr == reinterpret_cast<void*>(fault_registers[REG_RIP]), "at %p", last_info.si_addr);
    ktap.test("SIGFPE: FPE_INTDIV at the instruction");
    ktap.check(faults(SIGFPE,
                      [] {
                          const unsigned short control = 0x37b; // x87: division by zero unmasked
                          asm volatile("fldcw %0\n\tfld1\n\tfldz\n\tfdivrp\n\tfwait" : : "m"(control));
                      }),
               "no fault");
    ktap.check(last_info.si_code == FPE_FLTDIV && fault_registers[REG_TRAPNO] == 16, "code %d trap %lld",
               last_info.si_code, fault_registers[REG_TRAPNO]);
    ktap.test("SIGFPE: FPE_FLTDIV of the x87");
    asm volatile("fninit");
    ktap.check(faults(SIGILL, [] { asm volatile("ud2"); }), "no fault");
    ktap.check(last_info.si_code == ILL_ILLOPN &&
                   last_info.si_addr == reinterpret_cast<void*>(fault_registers[REG_RIP]),
               "code %d", last_info.si_code);
    ktap.check(fault_registers[REG_TRAPNO] == 6, "trap %lld", fault_registers[REG_TRAPNO]);
    ktap.test("SIGILL: ILL_ILLOPN");
    ktap.check(faults(SIGTRAP, [] { asm volatile("int3"); }), "no trap");
    ktap.check(last_info.si_code == SI_KERNEL && fault_registers[REG_TRAPNO] == 3, "code %d", last_info.si_code);
    ktap.test("SIGTRAP: int3");
    ktap.check(faults(SIGTRAP, [] { asm volatile("pushfq\n\torq $0x100, (%rsp)\n\tpopfq\n\tnop\n\tnop"); }), "no trap");
    ktap.check(last_info.si_code == TRAP_TRACE && fault_registers[REG_TRAPNO] == 1, "code %d", last_info.si_code);
    ktap.test("SIGTRAP: TRAP_TRACE after a single step");
    struct Case {
        int signal;
        void (*body)();
    };
    const Case cases[] = {{SIGSEGV, [] { touch_null_page(); }},
                          {SIGILL, [] { asm volatile("ud2"); }},
                          {SIGTRAP, [] { asm volatile("int3"); }}};
    for (const Case& c : cases) {
        for (const bool by_mask : {true, false}) {
            const int status = in_child([&] {
                if (by_mask)
                    handle(c.signal), block({c.signal});
                else
                    signal(c.signal, SIG_IGN);
                c.body();
                return 7;
            });
            ktap.check(WIFSIGNALED(status) && WTERMSIG(status) == c.signal, "signal %d: %#x", c.signal, status);
        }
    }
    ktap.test("a fault whose signal is blocked or ignored ends the process");
}

// --- alternate stacks

unsigned char alternate[65536];
volatile uintptr_t handler_stack;
stack_t stack_in_handler;
bool on_alternate(uintptr_t address) {
    return address >= reinterpret_cast<uintptr_t>(alternate) &&
           address < reinterpret_cast<uintptr_t>(alternate + sizeof alternate);
}
void note_stack(int, siginfo_t*, void*) {
    handler_stack = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    sigaltstack(nullptr, &stack_in_handler);
    caught = caught + 1;
}

void test_alternate_stack(Ktap& ktap) {
    stack_t stack{.ss_sp = alternate, .ss_flags = 0, .ss_size = sizeof alternate}, old{};
    WORKS(ktap, sigaltstack(nullptr, &old));
    ktap.check(old.ss_flags == SS_DISABLE, "flags %#x", old.ss_flags);
    stack.ss_size = 1000;
    FAILS(ktap, sigaltstack(&stack, nullptr), ENOMEM);
    stack.ss_size = sizeof alternate;
    stack.ss_flags = 4;
    FAILS(ktap, sigaltstack(&stack, nullptr), EINVAL);
    for (void* const bad : kBadPointers) {
        FAILS(ktap, syscall(SYS_sigaltstack, bad, nullptr), EFAULT);
        FAILS(ktap, syscall(SYS_sigaltstack, nullptr, bad), EFAULT);
    }
    ktap.test("sigaltstack: ENOMEM, EINVAL, EFAULT");
    stack.ss_flags = 0;
    WORKS(ktap, sigaltstack(&stack, nullptr));
    WORKS(ktap, sigaltstack(nullptr, &old));
    ktap.check(old.ss_sp == alternate && old.ss_size == sizeof alternate && old.ss_flags == 0, "flags %#x",
               old.ss_flags);
    handle(SIGUSR1, note_stack);
    raise(SIGUSR1);
    ktap.check(caught == 1 && !on_alternate(handler_stack), "without SA_ONSTACK it was used");
    handle(SIGUSR1, note_stack, SA_ONSTACK);
    raise(SIGUSR1);
    ktap.check(caught == 1 && on_alternate(handler_stack), "with SA_ONSTACK it was not used");
    ktap.check(stack_in_handler.ss_flags == SS_ONSTACK, "flags in the handler %#x", stack_in_handler.ss_flags);
    ktap.test("SA_ONSTACK; SS_ONSTACK in the handler");
    static int change_error;
    handle(
        SIGUSR1,
        [](int, siginfo_t*, void*) {
            const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
            change_error = sigaltstack(&none, nullptr) == 0 ? 0 : errno;
        },
        SA_ONSTACK);
    raise(SIGUSR1);
    ktap.check(change_error == EPERM, "error %d", change_error);
    ktap.test("sigaltstack: EPERM on the alternate stack");
    constexpr int kAutoDisarm = static_cast<int>(1u << 31);
    stack.ss_flags = kAutoDisarm;
    WORKS(ktap, sigaltstack(&stack, nullptr));
    handle(SIGUSR1, note_stack, SA_ONSTACK);
    raise(SIGUSR1);
    sigaltstack(nullptr, &old);
    ktap.check(on_alternate(handler_stack) && stack_in_handler.ss_flags == SS_DISABLE, "flags in the handler %#x",
               stack_in_handler.ss_flags);
    ktap.check(old.ss_flags == kAutoDisarm && old.ss_sp == alternate, "flags after it %#x", old.ss_flags);
    ktap.test("SS_AUTODISARM");
    stack = {.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
    WORKS(ktap, sigaltstack(&stack, nullptr));
    const int status = in_child([] {
        handle(SIGSEGV, [](int, siginfo_t*, void*) { _exit(3); });
        asm volatile("movq $16, %rsp\n\tpushq %rax");
        return 7;
    });
    ktap.check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %#x", status);
    const int saved = in_child([] {
        const stack_t other{.ss_sp = alternate, .ss_flags = 0, .ss_size = sizeof alternate};
        sigaltstack(&other, nullptr);
        handle(
            SIGSEGV, [](int, siginfo_t*, void*) { _exit(3); }, SA_ONSTACK);
        asm volatile("movq $16, %rsp\n\tpushq %rax");
        return 7;
    });
    ktap.check(WIFEXITED(saved) && WEXITSTATUS(saved) == 3, "status %#x", saved);
    ktap.test("a stack overflow is caught on the alternate stack, and only there");
}

// --- children

void test_children(Ktap& ktap) {
    handle(SIGCHLD);
    pid_t child = start_child([] { return 42; });
    while (caught == 0)
        pause_ms(1);
    ktap.check(last_info.si_code == CLD_EXITED && last_info.si_status == 42 && last_info.si_pid == child, "code %d",
               last_info.si_code);
    waitpid(child, nullptr, 0);
    handle(SIGCHLD);
    child = start_child([] { return kill(getpid(), SIGTERM), 0; });
    while (caught == 0)
        pause_ms(1);
    ktap.check(last_info.si_code == CLD_KILLED && last_info.si_status == SIGTERM && last_info.si_pid == child,
               "code %d status %d", last_info.si_code, last_info.si_status);
    waitpid(child, nullptr, 0);
    ktap.test("SIGCHLD: CLD_EXITED and CLD_KILLED, with status and pid");

    handle(SIGCHLD);
    child = start_child([] {
        for (;;)
            pause();
        return 0;
    });
    pause_ms(10);
    int status = 0;
    kill(child, SIGSTOP);
    ktap.check(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP,
               "status %#x", status);
    while (caught == 0)
        pause_ms(1);
    ktap.check(last_info.si_code == CLD_STOPPED && last_info.si_status == SIGSTOP, "code %d", last_info.si_code);
    ktap.check(waitpid(child, &status, WUNTRACED | WNOHANG) == 0, "a stop is reported twice");
    handle(SIGCHLD);
    kill(child, SIGCONT);
    ktap.check(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status), "status %#x", status);
    while (caught == 0)
        pause_ms(1);
    ktap.check(last_info.si_code == CLD_CONTINUED && last_info.si_status == SIGCONT, "code %d", last_info.si_code);
    ktap.test("stopped and continued children: wait status and SIGCHLD");
    handle(SIGCHLD, remember, SA_NOCLDSTOP);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    pause_ms(10);
    ktap.check(caught == 0, "caught %d", caught);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGKILL);
    ktap.check(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %#x",
               status);
    ktap.check(caught == 1, "caught %d", caught);
    ktap.test("SA_NOCLDSTOP; SIGKILL ends a stopped process");
    signal(SIGCHLD, SIG_IGN);
    child = start_child([] { return 1; });
    FAILS(ktap, waitpid(child, &status, 0), ECHILD);
    signal(SIGCHLD, SIG_DFL);
    ktap.test("children of who ignores SIGCHLD leave no zombies");
    child = start_child([] {
        block({SIGCONT});
        handle(SIGTSTP, remember, 0);
        kill(getpid(), SIGTSTP);
        return caught == 1 ? 0 : 1;
    });
    ktap.check(waitpid(child, &status, WUNTRACED) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0,
               "status %#x", status);
    ktap.test("SIGTSTP with a handler stops nothing");
    status = in_child([] {
        block({SIGTSTP, SIGCONT});
        kill(getpid(), SIGTSTP);
        kill(getpid(), SIGCONT);
        if (is_pending(SIGTSTP))
            return 1;
        kill(getpid(), SIGTSTP);
        return is_pending(SIGCONT) ? 2 : 0;
    });
    ktap.test("stop signals and SIGCONT cancel each other", status == 0);
}

// --- threads

pthread_t main_thread;
volatile pthread_t handled_by;
void note_thread(int, siginfo_t*, void*) {
    handled_by = pthread_self();
    caught = caught + 1;
}
template <class F>
void in_thread(F body) {
    pthread_t thread;
    pthread_create(
        &thread, nullptr, [](void* f) -> void* { return (*static_cast<F*>(f))(), nullptr; }, &body);
    pthread_join(thread, nullptr);
}

/// A stop that is complete because the last thread that had to stop ends instead: the parent hears of that, too. With
/// two CPUs most of these stops meet a thread at its end, which a long list of robust futexes draws out.
void test_stop_among_ends(Ktap& ktap) {
    const pid_t child = start_child([] {
        static struct {
            robust_list link;
            long futex;
        } nodes[2000]; // no futex is anybody's
        static robust_list_head head{{&nodes[0].link}, sizeof(robust_list), nullptr};
        for (int i = 0; i < 2000; ++i)
            nodes[i].link.next = i == 1999 ? &head.list : &nodes[i + 1].link;
        for (;;)
            in_thread([] { syscall(SYS_set_robust_list, &head, sizeof head); });
        return 0;
    });
    pause_ms(10);
    handle(SIGALRM);
    for (int i = 0; i < 60 && caught == 0; ++i) {
        int status = 0;
        alarm(3); // what nobody tells of is found when this interrupts the wait
        kill(child, SIGSTOP);
        ktap.check(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "stop %d: status %#x", i, status);
        ktap.check(caught == 0, "stop %d: not told", i);
        kill(child, SIGCONT);
        ktap.check(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status), "stop %d: status %#x", i,
                   status);
        if (i % 4 == 0)
            pause_ms(1);
    }
    alarm(0);
    signal(SIGALRM, SIG_DFL);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    ktap.test("a stop whose last thread ends is told");
}

void test_threads(Ktap& ktap) {
    main_thread = pthread_self();
    handle(SIGUSR1, note_thread);
    static volatile bool stop;
    stop = false;
    pthread_t other;
    pthread_create(
        &other, nullptr,
        [](void*) -> void* {
            while (!stop)
                pause_ms(1);
            return nullptr;
        },
        nullptr);
    pthread_kill(other, SIGUSR1);
    while (caught == 0)
        pause_ms(1);
    ktap.check(pthread_equal(handled_by, other), "another thread's handler ran");
    ktap.test("pthread_kill: that thread's handler");
    handle(SIGUSR1, note_thread);
    block({SIGUSR1});
    kill(getpid(), SIGUSR1);
    while (caught == 0)
        pause_ms(1);
    ktap.check(pthread_equal(handled_by, other), "the thread that blocks it ran the handler");
    unblock({SIGUSR1});
    ktap.test("a signal for the process goes to a thread that does not block it");
    stop = true;
    pthread_join(other, nullptr);
    handle(SIGUSR1, note_thread);
    block({SIGUSR1});
    in_thread([] { kill(getpid(), SIGUSR1); });
    ktap.check(caught == 0 && is_pending(SIGUSR1), "caught %d", caught);
    unblock({SIGUSR1});
    ktap.check(caught == 1, "caught %d", caught);
    ktap.test("masks are inherited by threads; the signal waits for the process");
    block({SIGUSR1});
    raise(SIGUSR1);
    in_thread([&] { ktap.check(!is_pending(SIGUSR1), "pending for another thread"); });
    unblock({SIGUSR1});
    ktap.test("what is sent to a thread is pending for it alone");
    const int status = in_child([] {
        in_thread([] { touch_null_page(); });
        return 7;
    });
    ktap.check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %#x", status);
    ktap.test("a fault of one thread ends the process");
    // A storm: every thread is sent signals while it calls the kernel; none may be lost or end anything.
    static volatile int handled;
    handled = 0;
    handle(
        SIGUSR2, [](int, siginfo_t*, void*) { __atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED); }, SA_RESTART);
    pthread_t workers[4];
    stop = false;
    for (pthread_t& worker : workers)
        pthread_create(
            &worker, nullptr,
            [](void*) -> void* {
                while (!stop)
                    syscall(SYS_getppid), sched_yield();
                return nullptr;
            },
            nullptr);
    for (int i = 0; i < 500; ++i)
        for (const pthread_t worker : workers)
            pthread_kill(worker, SIGUSR2);
    pause_ms(5);
    stop = true;
    for (const pthread_t worker : workers)
        pthread_join(worker, nullptr);
    ktap.check(handled > 0 && handled <= 2000, "handled %d", handled);
    ktap.test("signals to threads inside of calls");
}

// --- exec and the frame

void test_frame(Ktap& ktap) {
    static ucontext_t seen;
    static uintptr_t entry_stack;
    handle(SIGUSR1, [](int, siginfo_t* info, void* context) {
        std::memcpy(&seen, context, sizeof seen - sizeof seen.__fpregs_mem - 0);
        entry_stack = reinterpret_cast<uintptr_t>(info);
        caught = caught + 1;
    });
    block({SIGHUP});
    raise(SIGUSR1);
    unblock({SIGHUP});
    ktap.check(caught == 1, "caught %d", caught);
    ktap.check(sigismember(&seen.uc_sigmask, SIGHUP) == 1 && sigismember(&seen.uc_sigmask, SIGUSR1) == 0,
               "uc_sigmask is not the interrupted one");
    ktap.check((seen.uc_flags & 7) == 7, "uc_flags %#lx", seen.uc_flags);
    ktap.check(seen.uc_link == nullptr && seen.uc_stack.ss_flags == SS_DISABLE, "uc_stack %#x", seen.uc_stack.ss_flags);
    const auto fpu = reinterpret_cast<uintptr_t>(seen.uc_mcontext.fpregs);
    ktap.check(fpu % 64 == 0 && fpu > entry_stack, "fpstate at %#lx", fpu);
    ktap.check(static_cast<uintptr_t>(seen.uc_mcontext.gregs[REG_RSP]) - 128 > fpu + 512, "the red zone is gone");
    ktap.check((seen.uc_mcontext.gregs[REG_CSGSFS] & 0xffff) == 0x33, "cs %#llx", seen.uc_mcontext.gregs[REG_CSGSFS]);
    ktap.test("ucontext: mask, flags, stack, fpstate, selectors");
    static unsigned magic1, magic2, size;
    static unsigned long components;
    handle(SIGUSR1, [](int, siginfo_t*, void* context) {
        const auto* const image =
            reinterpret_cast<unsigned char*>(static_cast<ucontext_t*>(context)->uc_mcontext.fpregs);
        std::memcpy(&magic1, image + 464, 4);
        std::memcpy(&components, image + 472, 8);
        std::memcpy(&size, image + 480, 4);
        if (magic1 == 0x46505853)
            std::memcpy(&magic2, image + size, 4);
    });
    raise(SIGUSR1);
    ktap.check(magic1 == 0x46505853 && magic2 == 0x46505845, "magic %#x %#x", magic1, magic2);
    ktap.check(size >= 576 && (components & 3) == 3, "size %u components %#lx", size, components);
    ktap.test("ucontext: the XSAVE image and its magic words");
    static std::uintptr_t alignment, direction;
    handle(SIGUSR1, [](int, siginfo_t*, void*) {
        alignment = reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) % 16;
        asm volatile("pushfq\n\tpopq %0" : "=r"(direction));
    });
    asm volatile("std");
    syscall(SYS_tgkill, getpid(), thread_id(), SIGUSR1);
    asm volatile("cld");
    ktap.check(alignment == 0, "the frame pointer ends in %#lx", alignment);
    ktap.check((direction & 0x400) == 0, "DF is set in the handler");
    ktap.test("a handler's stack is aligned, and DF clear");
    const auto restorer_missing = in_child([] {
        KernelAction action{reinterpret_cast<void*>(+[](int) { _exit(3); }), 0, nullptr, 0};
        raw_action(SIGUSR1, &action, nullptr);
        raise(SIGUSR1);
        return 7;
    });
    ktap.check(WIFSIGNALED(restorer_missing) && WTERMSIG(restorer_missing) == SIGSEGV, "status %#x", restorer_missing);
    ktap.test("without SA_RESTORER a handler cannot run: SIGSEGV");
    static int jumps;
    jumps = 0;
    handle(SIGUSR1, [](int, siginfo_t*, void*) { siglongjmp(escape, 1); });
    for (int i = 0; i < 10; ++i) {
        if (sigsetjmp(escape, 1) != 0)
            continue;
        raise(SIGUSR1);
        ++jumps;
    }
    sigset_t now;
    sigprocmask(SIG_BLOCK, nullptr, &now);
    ktap.check(jumps == 0 && !sigismember(&now, SIGUSR1), "jumps %d", jumps);
    ktap.test("siglongjmp out of handlers");
    signal(SIGUSR1, SIG_DFL);
}

int run() {
    Ktap ktap(78);
    test_actions(ktap);
    test_defaults(ktap);
    test_masks(ktap);
    test_sending(ktap);
    test_permissions(ktap);
    test_waiting(ktap);
    test_restart(ktap);
    test_rest_of_span(ktap);
    test_never_restarted(ktap);
    test_faults(ktap);
    test_alternate_stack(ktap);
    test_children(ktap);
    test_stop_among_ends(ktap);
    test_threads(ktap);
    test_frame(ktap);
    return ktap.finish();
}

} // namespace

int main() {
    const int status = in_child(run);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

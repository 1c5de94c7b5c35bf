// Actions and masks: sigaction, what signals do by default, sigprocmask, sigpending.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/conform/signal_tests.h"

namespace tollgate::conform {

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

} // namespace tollgate::conform

// SIGCHLD, stops, and which thread of several takes a signal.
#include <cerrno>
#include <csignal>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/conform/signal_tests.h"

namespace tollgate::conform {

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

namespace {

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

} // namespace

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

} // namespace tollgate::conform

// Processes end and are waited for: exit, wait4, waitid, stops, orphans, and ends among threads.
#include <climits>
#include <csignal>
#include <cstring>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "userland/conform/process_tests.h"

namespace tollgate::conform {

void test_status(Ktap& ktap) {
    for (const int code : {0, 1, 127, 255, 256, 511, -1}) {
        const int status = run([&] { return code; });
        ktap.check(exited(status, code & 0xff), "exit(%d): %#x", code, status);
    }
    ktap.test("wait: exit codes, of which eight bits count");

    const rlimit none{0, 0};
    for (const int signal : {SIGKILL, SIGTERM, SIGINT, SIGUSR1, SIGALRM, SIGPIPE}) {
        const int status = run([&] {
            setrlimit(RLIMIT_CORE, &none);
            kill(getpid(), signal);
            for (;;)
                pause();
            return 0;
        });
        ktap.check(killed(status, signal), "signal %d: %#x", signal, status);
    }
    ktap.test("wait: signals that ended a child");

    const int status = run([&] {
        setrlimit(RLIMIT_CORE, &none);
        asm volatile("movl $1, 16" ::: "memory");
        return 0;
    });
    ktap.check(killed(status, SIGSEGV), "status %#x", status);
    ktap.test("wait: a fault");
}

void test_wait_errors(Ktap& ktap) {
    int status = 0;
    ktap.check(raw(SYS_wait4, -1, &status, 0, nullptr) == -ECHILD, "no child");
    ktap.check(raw(SYS_wait4, -1, &status, WNOHANG, nullptr) == -ECHILD, "no child, WNOHANG");
    ktap.check(raw(SYS_wait4, getpid(), &status, 0, nullptr) == -ECHILD, "itself");
    ktap.check(raw(SYS_wait4, 1 << 21, &status, 0, nullptr) == -ECHILD, "a stranger");
    ktap.check(raw(SYS_wait4, -(1 << 21), &status, 0, nullptr) == -ECHILD, "a strange group");
    ktap.test("wait4: ECHILD");
    ktap.check(raw(SYS_wait4, -1, &status, 0x1000, nullptr) == -EINVAL, "options");
    ktap.check(raw(SYS_wait4, -1, &status, WEXITED, nullptr) == -EINVAL, "WEXITED");
    ktap.check(raw(SYS_wait4, INT_MIN, &status, 0, nullptr) == -ESRCH, "INT_MIN");
    ktap.test("wait4: EINVAL, ESRCH");
    const pid_t child = start([] { return 0; });
    ktap.check(raw(SYS_wait4, child, reinterpret_cast<int*>(8), 0, nullptr) == -EFAULT, "EFAULT");
    ktap.check(raw(SYS_wait4, child, nullptr, 0, nullptr) == -ECHILD, "the child is gone all the same");
    ktap.test("wait4: EFAULT");
}

void test_wait_choice(Ktap& ktap) {
    Channel go;
    const pid_t first = start([&] { return go.hear(); });
    const pid_t second = start([] { return 22; });
    ktap.check(waitpid(first, nullptr, WNOHANG) == 0, "the first runs");
    int status = status_of(second);
    ktap.check(exited(status, 22), "second: %#x", status);
    ktap.check(waitpid(-1, nullptr, WNOHANG) == 0, "nothing more has ended");
    go.tell(11);
    ktap.check(waitpid(-1, &status, 0) == first && exited(status, 11), "first: %#x", status);
    ktap.check(waitpid(first, nullptr, 0) == -1 && errno == ECHILD, "twice");
    ktap.test("wait4: by id, any, WNOHANG");

    const pid_t other = start([&] {
        setpgid(0, 0);
        go.tell(1);
        return 5;
    });
    go.hear();
    setpgid(other, other);
    const pid_t own = start([] { return 6; });
    ktap.check(waitpid(0, &status, 0) == own && exited(status, 6), "own group: %#x", status);
    ktap.check(waitpid(0, &status, 0) == -1 && errno == ECHILD, "nobody else is in it");
    ktap.check(waitpid(-other, &status, 0) == other && exited(status, 5), "its group: %#x", status);
    ktap.test("wait4: by group");

    rusage usage;
    memset(&usage, 0xff, sizeof usage);
    const pid_t busy = start([] {
        volatile char* const memory =
            static_cast<char*>(mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        for (int i = 0; i < 1 << 20; i += 4096)
            memory[i] = 1;
        return 0;
    });
    ktap.check(wait4(busy, &status, 0, &usage) == busy, "wait4");
    ktap.check(usage.ru_maxrss >= 1024 && usage.ru_maxrss < 1 << 20, "maxrss %ld", usage.ru_maxrss);
    ktap.check(usage.ru_utime.tv_usec >= 0 && usage.ru_utime.tv_usec < 1000000, "time");
    ktap.test("wait4: what the child used");
}

void test_waitid(Ktap& ktap) {
    siginfo_t info;
    const auto ask = [&](idtype_t type, id_t id, int options) {
        memset(&info, 0x55, sizeof info);
        return waitid(type, id, &info, options) == 0 ? 0 : errno;
    };
    pid_t child = start([] { return 0x133; });
    ktap.check(ask(P_ALL, 0, WEXITED) == 0, "waitid: %d", errno);
    ktap.check(info.si_pid == child && info.si_signo == SIGCHLD && info.si_code == CLD_EXITED && info.si_status == 0x33,
               "pid %d signal %d code %d status %#x", info.si_pid, info.si_signo, info.si_code, info.si_status);
    ktap.check(info.si_uid == getuid(), "uid %u", info.si_uid);
    ktap.test("waitid: P_ALL");

    child = start([] { return 3; });
    for (int i = 0; i < 3; ++i)
        ktap.check(ask(P_PID, static_cast<id_t>(child), WEXITED | WNOWAIT) == 0 && info.si_status == 3, "look %d", i);
    ktap.check(ask(P_PID, static_cast<id_t>(child), WEXITED) == 0 && info.si_status == 3, "take");
    ktap.check(ask(P_PID, static_cast<id_t>(child), WEXITED) == ECHILD, "gone");
    ktap.test("waitid: P_PID, WNOWAIT");

    child = start([] {
        pause();
        return 0;
    });
    ktap.check(ask(P_PID, static_cast<id_t>(child), WEXITED | WNOHANG) == 0 && info.si_pid == 0 && info.si_signo == 0,
               "WNOHANG: pid %d", info.si_pid);
    kill(child, SIGKILL);
    ktap.check(ask(P_PGID, static_cast<id_t>(getpgrp()), WEXITED) == 0, "P_PGID");
    ktap.check(info.si_code == CLD_KILLED && info.si_status == SIGKILL && info.si_pid == child, "code %d status %d",
               info.si_code, info.si_status);
    ktap.test("waitid: WNOHANG, P_PGID, a killed child");

    ktap.check(ask(P_ALL, 0, 0) == EINVAL, "nothing to wait for");
    ktap.check(ask(P_ALL, 0, WEXITED | 0x1000) == EINVAL, "unknown option");
    ktap.check(ask(static_cast<idtype_t>(77), 0, WEXITED) == EINVAL, "unknown kind");
    ktap.check(ask(P_PID, 0, WEXITED) == EINVAL, "P_PID 0");
    ktap.check(ask(P_PID, static_cast<id_t>(-5), WEXITED) == EINVAL, "P_PID -5");
    ktap.check(ask(P_ALL, 0, WEXITED) == ECHILD, "no child");
    child = start([] { return 0; });
    ktap.check(raw(SYS_waitid, P_PID, child, reinterpret_cast<void*>(8), WEXITED, nullptr) == -EFAULT, "EFAULT");
    waitpid(child, nullptr, 0);
    child = start([] { return 9; });
    ktap.check(raw(SYS_waitid, P_PID, child, nullptr, WEXITED, nullptr) == 0, "without info");
    ktap.test("waitid: errors");
}

void test_stop(Ktap& ktap) {
    const pid_t child = start([] {
        for (;;)
            pause();
        return 0;
    });
    int status = 0;
    ktap.check(waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED) == 0, "nothing yet");
    kill(child, SIGSTOP);
    ktap.check(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP,
               "stopped: %#x", status);
    ktap.check(waitpid(child, &status, WUNTRACED | WNOHANG) == 0, "told twice");
    kill(child, SIGCONT);
    ktap.check(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status), "continued: %#x", status);
    ktap.check(waitpid(child, &status, WCONTINUED | WNOHANG) == 0, "told twice");
    ktap.test("wait4: WUNTRACED, WCONTINUED");

    siginfo_t info{};
    kill(child, SIGSTOP); // not SIGTSTP, which the group of process 1's children, orphaned as it is, does not take
    ktap.check(waitid(P_PID, static_cast<id_t>(child), &info, WSTOPPED | WNOWAIT) == 0 && info.si_code == CLD_STOPPED &&
                   info.si_status == SIGSTOP,
               "code %d status %d", info.si_code, info.si_status);
    ktap.check(waitid(P_PID, static_cast<id_t>(child), &info, WSTOPPED) == 0 && info.si_code == CLD_STOPPED, "again");
    kill(child, SIGCONT);
    ktap.check(waitid(P_PID, static_cast<id_t>(child), &info, WCONTINUED) == 0 && info.si_code == CLD_CONTINUED &&
                   info.si_status == SIGCONT,
               "code %d status %d", info.si_code, info.si_status);
    kill(child, SIGSTOP);
    waitid(P_PID, static_cast<id_t>(child), &info, WSTOPPED);
    kill(child, SIGKILL);
    ktap.check(killed(status_of(child), SIGKILL), "a stopped child cannot be killed");
    ktap.test("waitid: WSTOPPED, WCONTINUED");
}

void test_child_signal(Ktap& ktap) {
    struct sigaction action {};
    action.sa_sigaction = hear_child;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGCHLD, &action, nullptr);
    pid_t child = start([] { return 21; });
    ktap.check(eventually([] { return heard_signal == SIGCHLD; }), "no SIGCHLD");
    ktap.check(heard_pid == child && heard_code == CLD_EXITED && heard_status == 21, "pid %d code %d status %d",
               heard_pid, heard_code, heard_status);
    ktap.check(exited(status_of(child), 21), "status");
    ktap.test("SIGCHLD says which child and how it ended");

    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    sigaction(SIGCHLD, &action, nullptr);
    child = start([] { return 0; });
    ktap.check(waitpid(child, nullptr, 0) == -1 && errno == ECHILD, "a zombie although SIGCHLD is ignored");
    ktap.check(kill(child, 0) == -1 && errno == ESRCH, "it is still there");
    ktap.test("children of one who ignores SIGCHLD leave no zombie");

    heard_signal = 0;
    action.sa_sigaction = hear_child;
    action.sa_flags = SA_SIGINFO | SA_NOCLDWAIT;
    sigaction(SIGCHLD, &action, nullptr);
    child = start([] { return 0; });
    int result;
    do
        result = waitpid(child, nullptr, 0);
    while (result == -1 && errno == EINTR);
    ktap.check(result == -1 && errno == ECHILD, "a zombie: %d", result);
    ktap.check(eventually([] { return heard_signal == SIGCHLD; }), "no SIGCHLD");
    action = {};
    action.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &action, nullptr);
    ktap.test("SA_NOCLDWAIT: no zombie, but the signal");
}

void test_orphans(Ktap& ktap) {
    const int status = run([] {
        const pid_t self = getpid();
        Channel told, go;
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        const pid_t middle = start([&] {
            start([&] {
                go.hear();
                told.tell(getppid() == self ? 1 : 0);
                return 42;
            });
            return 0;
        });
        if (!exited(status_of(middle), 0))
            return 1;
        go.tell();
        if (told.hear() != 1)
            return 2;
        int end = 0;
        return wait(&end) > 0 && exited(end, 42) ? 0 : 3;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("an orphan becomes the child of the nearest subreaper");

    const int death = run([] {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        Channel ready;
        const pid_t middle = start([&] {
            start([&] {
                prctl(PR_SET_PDEATHSIG, SIGUSR1);
                ready.tell();
                for (;;)
                    pause();
                return 0;
            });
            ready.hear();
            return 0;
        });
        if (!exited(status_of(middle), 0))
            return 1;
        int end = 0;
        return wait(&end) > 0 && killed(end, SIGUSR1) ? 0 : 2;
    });
    ktap.check(exited(death, 0), "status %#x", death);
    ktap.test("PR_SET_PDEATHSIG: the parent's end is told");

    const int zombie = run([] {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        const pid_t middle = start([] {
            start([] { return 7; }); // perhaps a zombie by the time its parent ends
            sched_yield();
            return 0;
        });
        if (!exited(status_of(middle), 0))
            return 1;
        int end = 0;
        return wait(&end) > 0 && exited(end, 7) && wait(&end) == -1 && errno == ECHILD ? 0 : 2;
    });
    ktap.check(exited(zombie, 0), "status %#x", zombie);
    ktap.test("a zombie is inherited too");
}

namespace {

void* exit_group_in_thread(void*) { _exit(31); }

void* exit_later(void* channel) {
    static_cast<Channel*>(channel)->hear();
    _exit(32);
}

void* wait_forever(void*) {
    for (;;)
        pause();
}

} // namespace

void test_threads(Ktap& ktap) {
    int status = run([] {
        pthread_t thread;
        pthread_create(&thread, nullptr, exit_group_in_thread, nullptr);
        for (;;)
            pause();
        return 1;
    });
    ktap.check(exited(status, 31), "status %#x", status);
    ktap.test("exit_group in a thread ends the process");

    Channel go;
    const pid_t child = start([&] {
        pthread_t thread;
        pthread_create(&thread, nullptr, exit_later, &go);
        raw(SYS_exit, 5);
        return 1;
    });
    ktap.check(waitpid(child, &status, WNOHANG) == 0, "it ended with its first thread");
    go.tell();
    status = status_of(child);
    ktap.check(exited(status, 32), "status %#x", status);
    ktap.test("a process goes on without its first thread");

    const pid_t many = start([] {
        for (int i = 0; i < 8; ++i) {
            pthread_t thread;
            pthread_create(&thread, nullptr, wait_forever, nullptr);
        }
        return wait_forever(nullptr) != nullptr;
    });
    sched_yield();
    kill(many, SIGKILL);
    status = status_of(many);
    ktap.check(killed(status, SIGKILL), "status %#x", status);
    ktap.test("SIGKILL ends all threads");
}

} // namespace tollgate::conform

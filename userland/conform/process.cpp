// Processes begin, end and are waited for: fork, vfork, clone, clone3, exit, wait4 and waitid.
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/times.h>

#include "userland/conform/children.h"
#include "userland/lib/ktap.h"

namespace {

using namespace tollgate;
using namespace tollgate::conform;

int shared_word = 0; // private to each process, but for vfork and CLONE_VM
constexpr char kFile[] = "/tmp/conform-process";

// ---- fork ----

void test_fork(Ktap& ktap) {
    const pid_t self = getpid();
    int status = run([&] { return getpid() != self && getppid() == self && gettid() == getpid() ? 7 : 1; });
    ktap.check(exited(status, 7), "status %#x", status);
    ktap.test("fork: a child with an id of its own and the right parent");

    shared_word = 5;
    Channel go;
    const pid_t child = start([&] {
        shared_word = 6;
        go.hear();
        return shared_word == 6 ? 0 : 1;
    });
    shared_word = 9;
    go.tell();
    status = status_of(child);
    ktap.check(exited(status, 0) && shared_word == 9, "status %#x, word %d", status, shared_word);
    ktap.test("fork: memory is copied, for both sides");

    const int file = open(kFile, O_RDWR | O_CREAT | O_TRUNC, 0600);
    ktap.check(file >= 0 && write(file, "abcdef", 6) == 6, "cannot write a file");
    lseek(file, 0, SEEK_SET);
    char c = 0;
    status = run([&] {
        const bool good = read(file, &c, 1) == 1 && c == 'a';
        close(file);
        return good ? 0 : 1;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.check(read(file, &c, 1) == 1 && c == 'b', "offset not shared: %c", c);
    close(file);
    unlink(kFile);
    ktap.test("fork: open files share their offset, descriptors do not");

    const mode_t old = umask(0123);
    char here[256] = {};
    (void)!getcwd(here, sizeof here);
    (void)!chdir("/tmp");
    status = run([&] {
        char there[64] = {};
        (void)!getcwd(there, sizeof there);
        return umask(0) == 0123 && strcmp(there, "/tmp") == 0 && chdir("/") == 0 ? 0 : 1;
    });
    char now[64] = {};
    (void)!getcwd(now, sizeof now);
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.check(umask(old) == 0123 && strcmp(now, "/tmp") == 0, "the child changed its parent's");
    (void)!chdir(here);
    ktap.test("fork: directory and umask are copied");

    status = run([&] {
        const pid_t group = getpgrp(), session = getsid(0);
        return run([&] { return getpgrp() == group && getsid(0) == session ? 0 : 1; });
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("fork: group and session are inherited");

    const long made = raw(SYS_fork);
    if (made == 0)
        _exit(3);
    ktap.check(exited(status_of(static_cast<pid_t>(made)), 3), "fork: %ld", made);
    ktap.test("fork: by its number");

    status = run([] {
        for (int depth = 0; depth < 20; ++depth) {
            const pid_t next = fork();
            if (next != 0)
                return next > 0 && exited(status_of(next), 0) ? 0 : 1;
        }
        return 0;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("fork: 20 generations");
}

void* fork_in_thread(void* result) {
    *static_cast<int*>(result) = run([] { return getpid() == gettid() ? 4 : 1; });
    return nullptr;
}
void test_fork_in_thread(Ktap& ktap) {
    int status = 0;
    pthread_t thread;
    ktap.check(pthread_create(&thread, nullptr, fork_in_thread, &status) == 0, "pthread_create");
    pthread_join(thread, nullptr);
    ktap.check(exited(status, 4), "status %#x", status);
    ktap.test("fork in a thread: the child has that thread alone");
}

[[gnu::noinline]] pid_t vfork_and_set(volatile int* word) {
    const pid_t child = vfork();
    if (child == 0) {
        *word = 77;
        _exit(2);
    }
    return child;
}
void test_vfork(Ktap& ktap) {
    shared_word = 1;
    const pid_t child = vfork_and_set(&shared_word);
    ktap.check(shared_word == 77, "the parent went on before its child ended: %d", shared_word);
    ktap.check(exited(status_of(child), 2), "wrong status");
    ktap.test("vfork: the child borrows its parent's memory, which waits");
}

// ---- exit and wait ----

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

volatile sig_atomic_t heard_signal, heard_pid, heard_code, heard_status;
void hear_child(int signal, siginfo_t* info, void*) {
    heard_signal = signal;
    heard_pid = info->si_pid;
    heard_code = info->si_code;
    heard_status = info->si_status;
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

// ---- orphans ----

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

// ---- threads and the end ----

void* exit_group_in_thread(void*) { _exit(31); }
void* exit_later(void* channel) {
    static_cast<Channel*>(channel)->hear();
    _exit(32);
}
void* wait_forever(void*) {
    for (;;)
        pause();
}
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

// ---- clone ----

constexpr unsigned long kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
alignas(16) char stack[4][64 << 10];
char* top_of(int which) { return stack[which] + sizeof stack[which]; }

void test_clone_errors(Ktap& ktap) {
    for (const unsigned long flags : {0UL + CLONE_THREAD, 0UL + CLONE_SIGHAND, 0UL + (CLONE_THREAD | CLONE_SIGHAND),
                                      0UL + (CLONE_THREAD | CLONE_VM), 0UL + (CLONE_NEWNS | CLONE_FS)}) {
        const long result = raw(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, 0);
        ktap.check(result == -EINVAL, "clone(%#lx): %ld", flags, result);
        if (result == 0)
            _exit(0);
    }
    ktap.test("clone: sets of flags without meaning");

    clone_args arguments{};
    ktap.check(raw(SYS_clone3, &arguments, 63) == -EINVAL, "small");
    ktap.check(raw(SYS_clone3, &arguments, 5000) == -E2BIG, "large");
    ktap.check(raw(SYS_clone3, reinterpret_cast<void*>(8), 64) == -EFAULT, "EFAULT");
    struct {
        clone_args known;
        uint64_t more[4];
    } longer{};
    longer.more[3] = 1;
    ktap.check(raw(SYS_clone3, &longer, sizeof longer) == -E2BIG, "unknown fields");
    arguments.exit_signal = 65;
    ktap.check(raw(SYS_clone3, &arguments, sizeof arguments) == -EINVAL, "exit signal");
    arguments = {};
    arguments.flags = SIGCHLD;
    ktap.check(raw(SYS_clone3, &arguments, sizeof arguments) == -EINVAL, "signal among the flags");
    arguments = {};
    arguments.flags = CLONE_DETACHED;
    ktap.check(raw(SYS_clone3, &arguments, sizeof arguments) == -EINVAL, "CLONE_DETACHED");
    arguments = {};
    arguments.stack = reinterpret_cast<uint64_t>(stack[0]);
    ktap.check(raw(SYS_clone3, &arguments, sizeof arguments) == -EINVAL, "a stack without size");
    arguments = {};
    arguments.stack_size = 4096;
    ktap.check(raw(SYS_clone3, &arguments, sizeof arguments) == -EINVAL, "a size without stack");
    arguments = {};
    arguments.flags = CLONE_PARENT;
    arguments.exit_signal = SIGCHLD;
    ktap.check(raw(SYS_clone3, &arguments, sizeof arguments) == -EINVAL, "CLONE_PARENT with a signal");
    arguments = {};
    arguments.flags = CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND;
    ktap.check(raw(SYS_clone3, &arguments, sizeof arguments) == -EINVAL, "CLONE_CLEAR_SIGHAND with CLONE_SIGHAND");
    arguments = {};
    arguments.set_tid_size = 1;
    ktap.check(raw(SYS_clone3, &arguments, sizeof arguments) == -EINVAL, "ids that are nowhere");
    ktap.test("clone3: errors");
}

void test_clone3(Ktap& ktap) {
    struct {
        clone_args known;
        uint64_t more[4];
    } longer{};
    longer.known.exit_signal = SIGCHLD;
    long child = raw(SYS_clone3, &longer, sizeof longer);
    if (child == 0)
        _exit(15);
    ktap.check(child > 0 && exited(status_of(static_cast<pid_t>(child)), 15), "clone3: %ld", child);
    child = raw(SYS_clone3, &longer, 64);
    if (child == 0)
        _exit(16);
    ktap.check(child > 0 && exited(status_of(static_cast<pid_t>(child)), 16), "clone3 of the first size: %ld", child);
    ktap.test("clone3: as fork, with longer and shorter arguments");

    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, nullptr);
    action.sa_handler = SIG_IGN;
    sigaction(SIGUSR2, &action, nullptr);
    clone_args arguments{};
    arguments.flags = CLONE_CLEAR_SIGHAND;
    arguments.exit_signal = SIGCHLD;
    child = raw(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) {
        struct sigaction first {
        }, second{};
        sigaction(SIGUSR1, nullptr, &first);
        sigaction(SIGUSR2, nullptr, &second);
        _exit(first.sa_handler == SIG_DFL && second.sa_handler == SIG_IGN ? 0 : 1);
    }
    const int status = status_of(static_cast<pid_t>(child));
    ktap.check(exited(status, 0), "status %#x", status);
    action.sa_handler = SIG_DFL;
    sigaction(SIGUSR1, &action, nullptr);
    sigaction(SIGUSR2, &action, nullptr);
    ktap.test("clone3: CLONE_CLEAR_SIGHAND");
}

void test_clone_signals(Ktap& ktap) {
    struct sigaction action {};
    action.sa_sigaction = hear_child;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGUSR1, &action, nullptr);
    heard_signal = 0;
    long child = raw(SYS_clone, SIGUSR1, nullptr, nullptr, nullptr, 0);
    if (child == 0)
        _exit(1);
    ktap.check(eventually([] { return heard_signal == SIGUSR1; }), "no signal");
    ktap.check(heard_pid == child, "pid %d", heard_pid);
    ktap.check(raw(SYS_wait4, child, nullptr, 0, nullptr) == -ECHILD, "it counts as an ordinary child");
    ktap.check(raw(SYS_wait4, child, nullptr, __WCLONE, nullptr) == child, "__WCLONE does not find it");
    child = raw(SYS_clone, 0, nullptr, nullptr, nullptr, 0);
    if (child == 0)
        _exit(1);
    ktap.check(raw(SYS_wait4, child, nullptr, __WALL, nullptr) == child, "__WALL does not find it");
    action = {};
    action.sa_handler = SIG_DFL;
    sigaction(SIGUSR1, &action, nullptr);
    ktap.test("clone: the exit signal, __WCLONE, __WALL");
}

void test_clone_parent(Ktap& ktap) {
    const int status = run([] {
        const pid_t self = getpid();
        const pid_t middle = start([&] {
            clone_args arguments{};
            arguments.flags = CLONE_PARENT;
            const long child = raw(SYS_clone3, &arguments, sizeof arguments);
            if (child == 0)
                _exit(getppid() == self ? 51 : 52);
            return child > 0 ? 50 : 1;
        });
        int sum = 0;
        for (int i = 0; i < 2; ++i) {
            int end = 0;
            if (wait(&end) <= 0)
                return 2;
            sum += WEXITSTATUS(end);
        }
        return middle > 0 && sum == 101 ? 0 : sum;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("clone: CLONE_PARENT makes a brother");
}

int close_and_move(void* descriptor) {
    close(*static_cast<int*>(descriptor));
    return chdir("/") == 0 ? 0 : 1;
}
int write_word(void* word) {
    *static_cast<volatile int*>(word) = 99;
    return 0;
}
void test_clone_sharing(Ktap& ktap) {
    char here[256] = {}, now[256] = {};
    (void)!getcwd(here, sizeof here);
    ktap.check(chdir("/tmp") == 0, "chdir");
    int descriptor = dup(0);
    int status = status_of(clone(close_and_move, top_of(0), SIGCHLD, &descriptor));
    (void)!getcwd(now, sizeof now);
    ktap.check(exited(status, 0) && fcntl(descriptor, F_GETFD) == 0 && strcmp(now, "/tmp") == 0, "without sharing");
    status = status_of(clone(close_and_move, top_of(0), CLONE_FILES | CLONE_FS | SIGCHLD, &descriptor));
    (void)!getcwd(now, sizeof now);
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.check(fcntl(descriptor, F_GETFD) == -1 && errno == EBADF, "CLONE_FILES shares nothing");
    ktap.check(strcmp(now, "/") == 0, "CLONE_FS shares nothing: %s", now);
    (void)!chdir(here);
    ktap.test("clone: CLONE_FILES, CLONE_FS");

    shared_word = 0;
    status = status_of(clone(write_word, top_of(0), CLONE_VM | SIGCHLD, &shared_word));
    ktap.check(exited(status, 0) && shared_word == 99, "CLONE_VM: status %#x word %d", status, shared_word);
    shared_word = 0;
    status = status_of(clone(write_word, top_of(0), SIGCHLD, &shared_word));
    ktap.check(exited(status, 0) && shared_word == 0, "without CLONE_VM: word %d", shared_word);
    ktap.test("clone: CLONE_VM between processes");
}

int thread_ids[3];
int thread_body(void*) {
    thread_ids[0] = getpid();
    thread_ids[1] = gettid();
    raw(SYS_exit, 0);
    return 0;
}
void test_clone_words(Ktap& ktap) {
    int parent_tid = 0, child_tid = -1;
    const int child = clone(thread_body, top_of(1), kThreadFlags | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID, nullptr,
                            &parent_tid, nullptr, &child_tid);
    ktap.check(child > 0 && parent_tid == child, "CLONE_PARENT_SETTID: %d of %d", parent_tid, child);
    while (__atomic_load_n(&child_tid, __ATOMIC_ACQUIRE) == -1)
        raw(SYS_futex, &child_tid, FUTEX_WAIT, -1, nullptr, nullptr, 0);
    ktap.check(child_tid == 0, "CLONE_CHILD_CLEARTID: %d", child_tid);
    ktap.check(thread_ids[0] == getpid() && thread_ids[1] == child, "ids %d %d", thread_ids[0], thread_ids[1]);
    ktap.check(eventually([&] { return raw(SYS_tgkill, getpid(), child, 0) == -ESRCH; }), "it is still there");
    ktap.test("clone: a thread, its ids, and the word that its end clears");

    static int set_tid;
    set_tid = 0;
    const long copy = raw(SYS_clone, CLONE_CHILD_SETTID | SIGCHLD, nullptr, nullptr, &set_tid, 0);
    if (copy == 0)
        _exit(set_tid == getpid() ? 0 : 1);
    ktap.check(exited(status_of(static_cast<pid_t>(copy)), 0) && set_tid == 0, "CLONE_CHILD_SETTID");
    ktap.test("clone: CLONE_CHILD_SETTID writes to the child's copy");
}

extern "C" char** environ;
void test_spawn(Ktap& ktap) {
    char self[256] = {};
    ktap.check(readlink("/proc/self/exe", self, sizeof self - 1) > 0, "/proc/self/exe");
    char* const arguments[] = {self, const_cast<char*>("spawned"), nullptr};
    pid_t child = -1;
    ktap.check(posix_spawn(&child, self, nullptr, nullptr, arguments, environ) == 0, "posix_spawn");
    const int status = status_of(child);
    ktap.check(exited(status, 61), "status %#x", status);
    ktap.check(posix_spawn(&child, "/no/such/file", nullptr, nullptr, arguments, environ) == ENOENT, "ENOENT");
    ktap.check(waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD, "it left a child");
    ktap.test("posix_spawn");
}

void test_usage(Ktap& ktap) {
    rusage usage{};
    ktap.check(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0, "maxrss %ld", usage.ru_maxrss);
    ktap.check(getrusage(RUSAGE_CHILDREN, &usage) == 0 && usage.ru_maxrss > 0, "children: %ld", usage.ru_maxrss);
    ktap.check(getrusage(RUSAGE_THREAD, &usage) == 0, "thread");
    ktap.check(raw(SYS_getrusage, 5, &usage) == -EINVAL, "EINVAL");
    ktap.check(raw(SYS_getrusage, 0, reinterpret_cast<void*>(8)) == -EFAULT, "EFAULT");
    tms times_now{};
    ktap.check(times(&times_now) != -1, "times");
    ktap.check(raw(SYS_times, reinterpret_cast<void*>(8)) == -EFAULT, "times EFAULT");
    ktap.check(raw(SYS_times, nullptr) >= 0, "times without a place");
    ktap.test("getrusage, times");
}

} // namespace

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[1], "spawned") == 0)
        return 61;
    Ktap ktap(45);
    test_fork(ktap);
    test_fork_in_thread(ktap);
    test_vfork(ktap);
    test_status(ktap);
    test_wait_errors(ktap);
    test_wait_choice(ktap);
    test_waitid(ktap);
    test_stop(ktap);
    test_child_signal(ktap);
    test_orphans(ktap);
    test_threads(ktap);
    test_clone_errors(ktap);
    test_clone3(ktap);
    test_clone_signals(ktap);
    test_clone_parent(ktap);
    test_clone_sharing(ktap);
    test_clone_words(ktap);
    test_spawn(ktap);
    test_usage(ktap);
    return ktap.finish();
}

// clone, clone3, posix_spawn and getrusage.
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/times.h>

#include "userland/conform/process_tests.h"

namespace tollgate::conform {

namespace {

constexpr unsigned long kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
alignas(16) char stack[4][64 << 10];
char* top_of(int which) { return stack[which] + sizeof stack[which]; }

} // namespace

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

namespace {

int close_and_move(void* descriptor) {
    close(*static_cast<int*>(descriptor));
    return chdir("/") == 0 ? 0 : 1;
}

int write_word(void* word) {
    *static_cast<volatile int*>(word) = 99;
    return 0;
}

} // namespace

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

namespace {

int thread_ids[3];

int thread_body(void*) {
    thread_ids[0] = getpid();
    thread_ids[1] = gettid();
    raw(SYS_exit, 0);
    return 0;
}

} // namespace

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

namespace {

extern "C" char** environ;

} // namespace

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

} // namespace tollgate::conform

// Processes and threads: they begin, end, are waited for and killed in great number, and nothing is left of them.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"
#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;

// --- victims

int exit_with(uint64_t code) { return static_cast<int>(code); }
int fault(uint64_t kind) {
    switch (kind) {
    case SIGSEGV:
        asm volatile("movl $1, 16");
        break;
    case SIGILL:
        asm volatile("ud2");
        break;
    case SIGFPE:
        asm volatile("xorl %%ecx, %%ecx\n\tmovl $1, %%eax\n\tcltd\n\tidivl %%ecx" ::: "eax", "ecx", "edx");
        break;
    case SIGTRAP:
        asm volatile("int3");
        break;
    default:
        break;
    }
    return kSurvived;
}

/// Leaves `count` children behind, the last of them spinning.
int abandon_children(uint64_t count) {
    for (uint64_t i = 1; i < count; ++i)
        start_program(sibling("test-raw"), "exit", "0");
    const int spinning = start_program(sibling("test-raw"), "spin");
    kill(spinning, SIGKILL);
    return 0;
}

void* spin(void*) {
    for (;;)
        asm volatile("");
}
void* sleep_forever(void* word) {
    for (;;)
        Native::call(SYS_futex, word, 0, 0, nullptr);
}

uint32_t never_changed = 0;

/// Threads in every state, to be ended by one of several means.
int end_with_threads(uint64_t how) {
    for (unsigned i = 0; i < 4; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, nullptr, i % 2 == 0 ? spin : sleep_forever, &never_changed) != 0)
            return 1;
    }
    let_others_run(2);
    char* const arguments[] = {const_cast<char*>("test-raw"), const_cast<char*>("exit"), const_cast<char*>("44"),
                               nullptr};
    switch (how) {
    case 0:
        _exit(44); // exit_group
    case 1:
        Native::call(SYS_execve, sibling("test-raw"), arguments, arguments + 3);
        return 2;
    case 2:
        kill(getpid(), SIGKILL);
        return kSurvived;
    case 3:
        return fault(SIGSEGV);
    default:
        return 3;
    }
}

void* exec_from_thread(void*) {
    char* const arguments[] = {const_cast<char*>("test-raw"), const_cast<char*>("exit"), const_cast<char*>("45"),
                               nullptr};
    Native::call(SYS_execve, sibling("test-raw"), arguments, arguments + 3);
    _exit(1);
}
/// execve by a thread that is not the first one: the process keeps its id.
int exec_in_thread(uint64_t) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, exec_from_thread, nullptr) != 0)
        return 2;
    for (;;)
        Native::call(SYS_futex, &never_changed, 0, 0, nullptr);
}

/// The first thread leaves, another one decides the status.
void* exit_later(void*) {
    let_others_run(20);
    _exit(46);
}
int first_thread_leaves(uint64_t) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, exit_later, nullptr) != 0)
        return 2;
    Native::call(SYS_exit, 1);
    return 3;
}

/// A vfork child that never gives its parent's memory back.
int wait_for_vfork(uint64_t) {
    if (vfork() == 0)
        spin(nullptr);
    return kSurvived;
}

constexpr Victim kVictims[] = {
    {"exit", exit_with},
    {"fault", fault},
    {"abandon", abandon_children},
    {"threads", end_with_threads},
    {"exec-in-thread", exec_in_thread},
    {"first-leaves", first_thread_leaves},
    {"wait-for-vfork", wait_for_vfork},
};

// --- tests

void test_status(Ktap& ktap) {
    for (const uint64_t code : {0, 1, 2, 77, 127, 128, 255}) {
        const int status = run_victim("exit", code);
        ktap.check(exited_with(status, static_cast<int>(code)), "exit %llu: %s", static_cast<unsigned long long>(code),
                   describe(status));
    }
    ktap.test("exit codes reach wait4");
    for (const int signal : {SIGSEGV, SIGILL, SIGFPE, SIGTRAP}) {
        const int status = run_victim("fault", static_cast<uint64_t>(signal));
        ktap.check(killed_by(status, {signal}), "signal %d: %s", signal, describe(status));
    }
    ktap.test("a fault kills its own process, with its signal");
}

/// A child that writes to its parent's memory and ends. A function of its own: vfork() returns twice into it.
[[gnu::noinline]] int vfork_child(volatile int* word, int value, int code) {
    const int child = vfork();
    if (child == 0) {
        *word = value;
        _exit(code);
    }
    return child;
}

void test_vfork(Ktap& ktap) {
    static volatile int shared;
    check_frames(ktap, [&] {
        for (int i = 0; i < 2000; ++i) {
            shared = 0;
            const int child = vfork_child(&shared, i + 1, i & 0x7f);
            if (!ktap.check(child > 0 && shared == i + 1, "vfork %d: child %d, shared %d", i, child, shared))
                break;
            const int status = wait_status(child);
            if (!ktap.check(exited_with(status, i & 0x7f), "vfork %d: %s", i, describe(status)))
                break;
        }
    });
    ktap.test("2000 times vfork and exit, no frame lost");
}

void test_exec(Ktap& ktap) {
    wait_status(start_program(sibling("test-raw"), "exit", "0"));
    check_frames(ktap, [&] {
        for (int i = 0; i < 1000; ++i) {
            const int status = wait_status(start_program(sibling("test-raw"), "exit", "33"));
            if (!ktap.check(exited_with(status, 33), "exec %d: %s", i, describe(status)))
                break;
        }
    });
    ktap.test("1000 times vfork, exec and exit, no frame lost");
    // A refused execve leaves the program as it was, and its half-built successor is gone.
    char* const arguments[] = {const_cast<char*>("x"), nullptr};
    check_frames(ktap, [&] {
        for (int i = 0; i < 300; ++i) {
            ktap.check(Native::call(SYS_execve, "/dev/null", arguments, arguments + 1) < 0, "/dev/null was executed");
            ktap.check(Native::call(SYS_execve, "/no/such/file", arguments, arguments + 1) == -ENOENT,
                       "a missing file was executed");
        }
    });
    ktap.test("refused execve: the old program goes on, no frame lost");
}

void test_kill(Ktap& ktap) {
    check_frames(ktap, [&] {
        for (int i = 0; i < 40; ++i) {
            const int child = start_program(sibling("test-raw"), "spin");
            let_others_run(static_cast<unsigned>(i % 4));
            ktap.check(waitpid(child, nullptr, WNOHANG) == 0, "a spinning child has ended");
            const int signal = i % 2 == 0 ? SIGKILL : SIGTERM;
            ktap.check(kill(child, signal) == 0, "kill");
            const int status = wait_status(child);
            ktap.check(killed_by(status, {signal}), "round %d: %s", i, describe(status));
            ktap.check(kill(child, SIGKILL) == -1 && errno == ESRCH, "a process that is gone can be killed");
        }
    });
    ktap.test("40 spinning children killed, no frame lost");
}

void test_killed_vfork_parent(Ktap& ktap) {
    check_frames(ktap, [&] {
        for (int i = 0; i < 5; ++i) {
            const int parent = start_victim("wait-for-vfork");
            const int child = parent + 1; // ids are given out in turn, and nobody else asks for one
            ktap.check(wait_until([&] { return kill(child, 0) == 0; }), "the child does not appear");
            let_others_run(2);
            kill(parent, SIGKILL);
            const int status = wait_status(parent);
            ktap.check(killed_by(status, {SIGKILL}), "the waiting parent: %s", describe(status));
            ktap.check(kill(child, SIGKILL) == 0, "the child went with its parent");
            if (getpid() == 1) { // then it is ours now
                const int end = wait_status(child);
                ktap.check(killed_by(end, {SIGKILL}), "the child: %s", describe(end));
            }
        }
    });
    ktap.test("a parent killed inside vfork leaves its memory to the child, no frame lost");
}

void test_zombies(Ktap& ktap) {
    ktap.check(waitpid(-1, nullptr, 0) == -1 && errno == ECHILD, "there is a child already");
    check_frames(ktap, [&] {
        constexpr int kChildren = 64;
        int children[kChildren];
        static volatile int ignored;
        for (int i = 0; i < kChildren; ++i)
            children[i] = vfork_child(&ignored, i, i);
        ktap.check(kill(children[0], 0) == 0, "a zombie cannot be signalled");
        // From the middle by id, the others in any order.
        for (int i = 20; i < 30; ++i) {
            const int status = wait_status(children[i]);
            ktap.check(exited_with(status, i), "child %d: %s", i, describe(status));
            ktap.check(wait_status(children[i]) == -1, "child %d can be waited for twice", i);
        }
        unsigned found = 0;
        for (int status; waitpid(-1, &status, 0) > 0;)
            ++found;
        ktap.check(found == kChildren - 10 && errno == ECHILD, "%u zombies", found);
        ktap.check(waitpid(1 << 21, nullptr, 0) == -1 && errno == ECHILD, "waiting for a stranger");
        ktap.check(Native::call(SYS_wait4, -1, 0, 0x1000, 0) == -EINVAL, "wait4 with strange options");
    });
    ktap.test("64 zombies are kept, found and gone");

    check_frames(ktap, [&] {
        for (int i = 0; i < 20; ++i) {
            const int status = run_victim("abandon", 8);
            ktap.check(exited_with(status, 0), "%s", describe(status));
        }
        // Orphans become children of init; if that is us, they are ours to bury.
        if (getpid() == 1) {
            const auto buried = [] {
                while (waitpid(-1, nullptr, WNOHANG) > 0)
                    ;
                return errno == ECHILD;
            };
            ktap.check(wait_until([&] {
                           errno = 0;
                           return buried();
                       }),
                       "orphans do not end");
        }
    });
    ktap.test("orphans are inherited and gone");
}

std::atomic<unsigned> sum;
std::atomic<bool> may_end;
/// Stays until all others are there, so that every round needs the same number of stacks.
void* add_one(void*) {
    sum.fetch_add(1, std::memory_order_relaxed);
    wait_until([] { return may_end.load(std::memory_order_relaxed); });
    return nullptr;
}

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
unsigned turn = 0, passed = 0;
constexpr unsigned kPlayers = 4, kTurns = 200;

/// Each waits for its turn and passes it on: every step is a futex wait and a wake.
void* play(void* player) {
    const auto own = static_cast<unsigned>(reinterpret_cast<uintptr_t>(player));
    for (unsigned i = 0; i < kTurns; ++i) {
        pthread_mutex_lock(&mutex);
        while (turn != own)
            pthread_cond_wait(&turned, &mutex);
        turn = (turn + 1) % kPlayers;
        ++passed;
        pthread_cond_broadcast(&turned);
        pthread_mutex_unlock(&mutex);
    }
    return nullptr;
}

void test_threads(Ktap& ktap) {
    constexpr unsigned kRounds = 40, kThreads = 8;
    const auto round = [&] {
        pthread_t threads[kThreads];
        unsigned started = 0;
        may_end = false;
        for (pthread_t& thread : threads)
            started += pthread_create(&thread, nullptr, add_one, nullptr) == 0 ? 1 : 0;
        may_end = true;
        for (unsigned i = 0; i < started; ++i)
            pthread_join(threads[i], nullptr);
        return started == kThreads;
    };
    ktap.check(round(), "threads cannot be started"); // stacks are cached from here on
    sum = 0;
    unsigned rounds = 0;
    check_frames(ktap, [&] {
        for (unsigned i = 0; i < kRounds; ++i, ++rounds)
            ktap.check(round(), "round %u", rounds);
    });
    ktap.check(sum == rounds * kThreads, "%u threads have run", sum.load());
    ktap.test("320 threads started and joined by futex, no frame lost");

    pthread_t players[kPlayers];
    for (unsigned i = 0; i < kPlayers; ++i)
        ktap.check(pthread_create(&players[i], nullptr, play, reinterpret_cast<void*>(uintptr_t{i})) == 0, "player %u",
                   i);
    for (const pthread_t player : players)
        pthread_join(player, nullptr);
    ktap.check(passed == kPlayers * kTurns, "%u turns", passed);
    ktap.test("800 turns passed round by futexes");
}

void test_ends_with_threads(Ktap& ktap) {
    check_frames(ktap, [&] {
        for (unsigned round = 0; round < 4; ++round) {
            int status = run_victim("threads", 0);
            ktap.check(exited_with(status, 44), "exit_group: %s", describe(status));
            status = run_victim("threads", 1);
            ktap.check(exited_with(status, 44), "execve: %s", describe(status));
            status = run_victim("threads", 2);
            ktap.check(killed_by(status, {SIGKILL}), "kill: %s", describe(status));
            status = run_victim("threads", 3);
            ktap.check(killed_by(status, {SIGSEGV}), "fault: %s", describe(status));
            status = run_victim("exec-in-thread");
            ktap.check(exited_with(status, 45), "execve by another thread: %s", describe(status));
            status = run_victim("first-leaves");
            ktap.check(exited_with(status, 46), "the first thread leaves: %s", describe(status));
        }
    });
    ktap.test("processes with running and sleeping threads end in every way, no frame lost");
}

void test_clone_errors(Ktap& ktap) {
    for (const uint64_t flags : {uint64_t{CLONE_THREAD}, uint64_t{CLONE_SIGHAND},
                                 uint64_t{CLONE_SIGHAND | CLONE_THREAD}, uint64_t{CLONE_VM | CLONE_THREAD},
                                 uint64_t{CLONE_NEWPID | SIGCHLD}, uint64_t{CLONE_PIDFD | SIGCHLD}, ~uint64_t{0}}) {
        const long result = Native::call(SYS_clone, flags, 0, 0, 0, 0);
        ktap.check(result == -EINVAL, "clone(%#llx): %ld", static_cast<unsigned long long>(flags), result);
    }
    constexpr uint64_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    for (const uint64_t stack : {kUserTop, uint64_t{1} << 47, uint64_t{0xffff800000000000}, ~uint64_t{0}}) {
        const long result = Native::call(SYS_clone, kThread, stack, 0, 0, 0);
        ktap.check(result < 0, "a thread with its stack at %#llx: %ld", static_cast<unsigned long long>(stack), result);
    }
    for (const uint64_t tls : {kUserTop, uint64_t{1} << 47, uint64_t{0xffff800000000000}, ~uint64_t{0}}) {
        const long result = Native::call(SYS_clone, kThread | CLONE_SETTLS, &never_changed, 0, 0, tls);
        ktap.check(result < 0, "a thread with its TLS at %#llx: %ld", static_cast<unsigned long long>(tls), result);
    }
    ktap.test("clone refuses what it cannot do, and addresses of the kernel");
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims});
    Ktap ktap(13);
    test_status(ktap);
    test_vfork(ktap);
    test_exec(ktap);
    test_kill(ktap);
    test_killed_vfork_parent(ktap);
    test_zombies(ktap);
    test_threads(ktap);
    test_ends_with_threads(ktap);
    test_clone_errors(ktap);
    return ktap.finish();
}

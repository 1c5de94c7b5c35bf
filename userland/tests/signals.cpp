// Signals while much goes on: storms of them into system calls, threads that all signal each other, stops and ends at
// any moment, both gates' restarted calls, FlexSC. Nothing depends on time; counts are exact where POSIX makes them so.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "userland/lib/ktap.h"
#include "userland/tests/flexsc_pages.h"
#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;

constexpr unsigned kThreads = 4;

void install(int signal, void (*handler)(int, siginfo_t*, void*), int flags = SA_RESTART) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigaction(signal, &action, nullptr);
}

/// Waits until it comes true, asleep: other CPUs may be slow. False after a long time.
template <class Condition>
bool comes_true(Condition&& condition) {
    const timespec moment{0, 1'000'000};
    for (unsigned i = 0; i < 20'000 && !condition(); ++i)
        nanosleep(&moment, nullptr);
    return condition();
}

std::atomic<bool> stop;
std::atomic<unsigned> wrong, handled, started;
thread_local unsigned next_value;
pthread_t threads[kThreads];

/// Calls of every kind, and whether their results are right although signals come in between.
void call_around() {
    const long parent = Native::call(SYS_getppid);
    const int self = gettid();
    while (!stop) {
        wrong += Native::call(SYS_getppid) != parent;
        wrong += Int80::call(SYS_getppid) != parent;
        wrong += gettid() != self;
        void* const page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        wrong += page == MAP_FAILED;
        if (page != MAP_FAILED) {
            *static_cast<volatile int*>(page) = self;
            wrong += *static_cast<volatile int*>(page) != self;
            wrong += munmap(page, kPage) != 0;
        }
        const timespec moment{0, 1000};
        const int slept = nanosleep(&moment, nullptr);
        wrong += slept != 0 && errno != EINTR;
        sched_yield();
    }
}

void* caller(void*) {
    ++started;
    call_around();
    return nullptr;
}

void start_threads(void* (*entry)(void*)) {
    stop = false;
    wrong = handled = started = 0;
    for (pthread_t& thread : threads)
        pthread_create(&thread, nullptr, entry, nullptr);
    comes_true([] { return started == kThreads; });
}

void join_threads() {
    stop = true;
    for (const pthread_t thread : threads)
        pthread_join(thread, nullptr);
}

/// Real-time signals with numbers: every one arrives once, in order.
void test_queued_storm(Ktap& ktap) {
    constexpr unsigned kSignals = 200;
    install(SIGRTMIN, [](int, siginfo_t* info, void*) {
        wrong += static_cast<unsigned>(info->si_value.sival_int) != next_value;
        ++next_value;
        ++handled;
    });
    start_threads(caller);
    for (unsigned i = 0; i < kSignals; ++i)
        for (const pthread_t thread : threads)
            while (pthread_sigqueue(thread, SIGRTMIN, sigval{.sival_int = static_cast<int>(i)}) == EAGAIN)
                sched_yield();
    const bool all = comes_true([] { return handled == kSignals * kThreads; });
    join_threads();
    ktap.check(all, "%u of %u arrived", handled.load(), kSignals * kThreads);
    ktap.check(wrong == 0, "%u wrong results, or signals out of order", wrong.load());
    ktap.test("queued signals into system calls: none lost, none out of order");
}

void* signal_everybody(void* number) {
    ++started;
    comes_true([] { return started == kThreads; });
    for (unsigned i = 0; i < 300; ++i) {
        const pthread_t to = threads[(i + reinterpret_cast<uintptr_t>(number)) % kThreads];
        wrong += pthread_kill(to, i % 2 ? SIGUSR1 : SIGUSR2) != 0;
        if (i % 16 == 0)
            sched_yield();
    }
    while (!stop)
        sched_yield();
    return nullptr;
}

void test_everybody(Ktap& ktap) {
    for (const int signal : {SIGUSR1, SIGUSR2})
        install(signal, [](int, siginfo_t*, void*) {
            ++handled;
            wrong += gettid() <= 0;
        });
    start_threads(signal_everybody);
    comes_true([] { return handled > 100; });
    join_threads();
    ktap.check(wrong == 0 && handled > 100, "%u wrong, %u handled", wrong.load(), handled.load());
    ktap.test("threads that all signal each other");
}

/// A timer's signals at every place of both gates' calls.
void test_timer_storm(Ktap& ktap) {
    install(SIGALRM, [](int, siginfo_t*, void*) { ++handled; });
    handled = wrong = 0;
    const itimerval often{{0, 500}, {0, 500}}, never{};
    setitimer(ITIMER_REAL, &often, nullptr);
    const uint64_t process = static_cast<uint64_t>(getpid());
    alignas(16) static unsigned char stack[1 << 16];
    for (unsigned i = 0; i < 200'000 && handled < 50; ++i) {
        Registers in = patterned(SYS_getpid);
        in.rsp = reinterpret_cast<uint64_t>(stack + sizeof stack - 64);
        const Registers out = i % 2 ? cross_by_syscall(in) : cross_by_int80(in);
        wrong += out.rax != process || out.rbx != in.rbx || out.rbp != in.rbp || out.rdi != in.rdi ||
                 out.rsi != in.rsi || out.rdx != in.rdx || out.r8 != in.r8 || out.r9 != in.r9 || out.r10 != in.r10 ||
                 out.r12 != in.r12 || out.r13 != in.r13 || out.r14 != in.r14 || out.r15 != in.r15 || out.rsp != in.rsp;
    }
    setitimer(ITIMER_REAL, &never, nullptr);
    ktap.check(wrong == 0 && handled >= 50, "%u wrong, %u handled", wrong.load(), handled.load());
    ktap.test("a timer's signals between and inside of calls: registers stay");
}

/// wait4 for a child, by either gate, while signals come: made again with SA_RESTART, EINTR without.
void test_restart(Ktap& ktap) {
    alignas(16) static unsigned char stack[1 << 16];
    for (const bool by_int80 : {false, true}) {
        for (const bool restart : {true, false}) {
            install(
                SIGUSR1, [](int, siginfo_t*, void*) { ++handled; }, restart ? SA_RESTART : 0);
            handled = 0;
            const pid_t parent = getpid();
            const pid_t child = fork();
            if (child == 0) {
                const timespec moment{0, 5'000'000};
                for (int i = 0; i < 5; ++i) {
                    nanosleep(&moment, nullptr);
                    kill(parent, SIGUSR1);
                }
                nanosleep(&moment, nullptr);
                _exit(5);
            }
            Registers in = patterned(SYS_wait4, static_cast<uint64_t>(child), 0, 0);
            in.r10 = 0;
            in.rsp = reinterpret_cast<uint64_t>(stack + sizeof stack - 64);
            const Registers out = by_int80 ? cross_by_int80(in) : cross_by_syscall(in);
            const auto wanted = restart ? static_cast<uint64_t>(child) : static_cast<uint64_t>(-EINTR);
            ktap.check(out.rax == wanted, "%s, restart %d: %lld", by_int80 ? "int80" : "syscall", restart,
                       static_cast<long long>(out.rax));
            ktap.check(handled >= 1 && out.rdi == in.rdi && out.rsi == in.rsi && out.r15 == in.r15, "handled %u",
                       handled.load());
            while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
            }
        }
    }
    ktap.test("calls are made again or fail with EINTR, by both gates");
}

/// Processes full of threads, which end in the middle of whatever they do.
int busy_victim(uint64_t) {
    install(SIGUSR1, [](int, siginfo_t*, void*) {});
    start_threads(caller);
    for (;;)
        for (const pthread_t thread : threads)
            pthread_kill(thread, SIGUSR1);
}

void test_kill(Ktap& ktap) {
    check_frames(ktap, [&] {
        for (unsigned i = 0; i < 8; ++i) {
            const int child = start_victim("busy");
            let_others_run(1 + i * 2); // each turn may last a time slice of every thread
            kill(child, i % 3 == 0 ? SIGTERM : SIGKILL);
            const int status = wait_status(child);
            ktap.check(killed_by(status, {SIGKILL, SIGTERM}), "%s", describe(status));
        }
    });
    ktap.test("processes in a storm are killed at any moment, and leave nothing");
}

void test_stop(Ktap& ktap) {
    const int child = start_victim("busy");
    let_others_run(5);
    for (unsigned i = 0; i < 20; ++i) {
        int status = 0;
        kill(child, SIGSTOP);
        ktap.check(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP,
                   "stop %u: %#x", i, static_cast<unsigned>(status));
        kill(child, SIGCONT);
        ktap.check(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status), "continue %u: %#x", i,
                   static_cast<unsigned>(status));
        let_others_run(i % 3);
    }
    kill(child, SIGSTOP);
    kill(child, SIGKILL);
    const int status = wait_status(child);
    ktap.check(killed_by(status, {SIGKILL}), "%s", describe(status));
    ktap.test("a process in a storm stops and goes on, twenty times");
}

int flexsc_victim(uint64_t) {
    auto gate = Flexsc::open(api::FlexscPolicy::Own);
    if (!gate)
        return 1;
    handled = wrong = 0;
    install(SIGALRM, [](int, siginfo_t*, void*) { ++handled; });
    const itimerval often{{0, 500}, {0, 500}};
    setitimer(ITIMER_REAL, &often, nullptr);
    const long parent = getppid();
    for (unsigned i = 0; i < 5'000'000 && handled < 20; ++i) {
        const bool all = gate->batch(
            16, [&](long result) { wrong += result != parent; }, SYS_getppid);
        wrong += !all;
    }
    // What a page may not call: anything that would return from a handler, or use the thread's own mask. It may send.
    for (const long number : {SYS_rt_sigreturn, SYS_pause, SYS_rt_sigsuspend, SYS_rt_sigtimedwait})
        wrong += gate->call(number, 0L, 0L, 0L) != -ENOSYS;
    wrong += gate->call(SYS_kill, getpid(), 0L) != 0;
    wrong += gate->call(SYS_tgkill, 0L, 0L, 0L) != -EINVAL;
    return wrong != 0 ? 2 : handled < 20 ? 3 : 0;
}

constexpr Victim kVictims[] = {{"busy", busy_victim}, {"flexsc", flexsc_victim}};

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims});
    Ktap ktap(7);
    test_queued_storm(ktap);
    test_everybody(ktap);
    test_timer_storm(ktap);
    test_restart(ktap);
    test_kill(ktap);
    test_stop(ktap);
    const int status = run_victim("flexsc");
    ktap.check(exited_with(status, 0), "%s", describe(status));
    ktap.test("signals beside syscall pages");
    return ktap.finish();
}
